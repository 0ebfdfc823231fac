"""The timing lab's figures: what they draw is in the rows, and nothing else."""

from dataclasses import replace
from math import prod

import plotly.graph_objects as go
import pytest

from explainer.kit.palette import DARK, LIGHT, Palette
from explainer.timing import figures
from explainer.timing.words import NAMES
from kvengine.speed import fit, points_of, step_cost, total_seconds
from kvengine.timing import CACHED, CAT, NAIVE, PREFILL
from tests.timing.samples import CONFIG, LENGTHS, RECORDING, ROWS, a_row


def named(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_lines_are_the_medians_and_bands_the_quartiles(palette: Palette, log: bool) -> None:
    figure = figures.measured(ROWS, figures.STEP, palette, log=log)
    for path in (CACHED, NAIVE, CAT):
        line = named(figure, NAMES[path])
        assert list(line.x) == list(LENGTHS)
        assert list(line.y) == pytest.approx([p.median * 1e3 for p in points_of(ROWS, path)])
    band = named(figure, "cached, middle half")
    assert max(band.y) == pytest.approx(ROWS[-1].points[CACHED].q75 * 1e3)
    assert figure.layout.yaxis.type == ("log" if log else "linear")
    assert figure.layout.paper_bgcolor == palette.paper


def test_no_two_lines_differ_by_hue_alone() -> None:
    figure = figures.measured(ROWS, figures.STEP, LIGHT, log=True)
    lines = [t for t in figure.data if t.name in NAMES.values()]
    assert len({(t.line.dash, t.marker.symbol) for t in lines}) == len(lines) == 3


@pytest.mark.parametrize("losing", [(1,), (4,), (64,), (1, 4), (4, 64), LENGTHS], ids=str)
@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_where_the_cache_loses_is_ringed_and_no_text_stands_in_its_place(
    losing: tuple[int, ...], log: bool
) -> None:
    rows = [a_row(n, 2e-3 if n in losing else 1e-4, 1e-3) for n in LENGTHS]
    figure = figures.measured(rows, figures.STEP, LIGHT, log=log)
    rings = named(figure, "the cache loses here")
    assert list(rings.x) == list(losing)
    assert list(rings.y) == [2.0] * len(losing)
    assert rings.showlegend is not False
    # A text hung on a measured point is cut off on a narrow screen as soon as the point is near an edge.
    assert not figure.layout.annotations


def test_no_ring_and_no_legend_of_one_where_the_cache_never_loses() -> None:
    ahead = figures.measured(ROWS[2:], figures.STEP, LIGHT, log=False)
    assert "the cache loses here" not in [trace.name for trace in ahead.data]


def test_a_recorded_run_is_named_so_and_drawn_apart() -> None:
    for view in (figures.STEP, figures.TOTAL, figures.RATIO):
        figure = figures.measured(ROWS, view, LIGHT, log=True, recording=RECORDING)
        laid_over = [trace for trace in figure.data if "recorded" in (trace.name or "")]
        assert laid_over
        assert {trace.line.dash for trace in laid_over} == {"longdashdot"}
        assert {trace.mode for trace in laid_over} == {"lines"}
    live = figures.measured(ROWS, figures.STEP, LIGHT, log=True)
    assert not any("recorded" in (trace.name or "") for trace in live.data)


def test_totals_and_ratios_are_those_of_the_measured_points() -> None:
    total = figures.measured(ROWS, figures.TOTAL, LIGHT, log=False)
    assert named(total, "naive").y[-1] == pytest.approx(total_seconds(points_of(ROWS, NAIVE), 64) * 1e3)
    ratio = figures.measured(ROWS, figures.RATIO, LIGHT, log=False)
    assert named(ratio, "one step").y[-1] == pytest.approx(
        ROWS[-1].points[NAIVE].median / ROWS[-1].points[CACHED].median
    )


@pytest.mark.parametrize("quantity", [figures.MULTIPLICATIONS, figures.PROJECTIONS, figures.BYTES])
def test_counted_work_is_drawn_as_counted(quantity: str) -> None:
    def draw(view: str) -> go.Figure:
        return figures.counted(CONFIG, LENGTHS, view, quantity, DARK, log=True, bytes_per_float=4)

    step, total, ratio = draw(figures.STEP), draw(figures.TOTAL), draw(figures.RATIO)
    assert named(step, "naive").y[0] == named(step, "cached").y[0] == named(total, "naive").y[0]
    assert named(ratio, "one step").y[0] == 1
    if quantity == figures.MULTIPLICATIONS:
        naive = [step_cost(CONFIG, NAIVE, n).multiplications for n in range(1, 65)]
        assert named(step, "naive").y[-1] == naive[-1]
        assert named(total, "naive").y[-1] == sum(naive)
    if quantity == figures.PROJECTIONS:
        assert list(named(total, "naive").y) == [n * (n + 1) // 2 for n in LENGTHS]
        assert list(named(total, "cached").y) == list(LENGTHS)
    if quantity == figures.BYTES:
        assert list(named(step, "naive").y) == list(named(step, "cached").y)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_where_the_cache_loses_is_ringed_without_a_hue(palette: Palette) -> None:
    mark = named(figures.measured(ROWS, figures.STEP, palette, log=True), "the cache loses here")
    assert mark.marker.color == palette.ink


def areas(figure: go.Figure) -> list[float]:
    return [prod(max(axis) - min(axis) for axis in (t.x, t.y)) for t in figure.data]


def test_areas_are_to_scale() -> None:
    figure = figures.counted_squares(1000, LIGHT)
    naive, inner, cached = areas(figure)
    assert naive / cached == pytest.approx(500_500 / 1_000)
    assert inner == pytest.approx(cached)
    labels = " ".join(a.text for a in figure.layout.annotations)
    assert "500,500 rows" in labels
    assert "1,000 rows" in labels
    for seconds in ((10.0, 0.4), (0.4, 10.0)):
        timed = figures.timed_squares(*seconds, LIGHT)
        naive, cached = areas(timed)
        assert naive / cached == pytest.approx(seconds[0] / seconds[1])
        assert max(max(t.y) for t in timed.data) == pytest.approx(1)
        left, right = ((min(t.x), max(t.x)) for t in timed.data)
        assert left[1] < right[0]


def test_one_row_is_one_row() -> None:
    labels = " ".join(a.text for a in figures.counted_squares(1, LIGHT).layout.annotations)
    assert "1 row" in labels
    assert "1 rows" not in labels


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_in_the_count_orange_must_be_computed_and_blue_hatching_is_done_again(palette: Palette) -> None:
    again, inner, cached = figures.counted_squares(100, palette).data
    assert again.fillpattern.shape
    assert again.fillpattern.fgcolor == palette.blue
    assert again.fillpattern.bgcolor == palette.paper
    assert inner.fillcolor == cached.fillcolor == palette.orange
    assert not inner.fillpattern.shape
    naive_time, cached_time = figures.timed_squares(2.0, 1.0, palette).data
    assert (naive_time.fillcolor, cached_time.fillcolor) == (palette.grey, palette.blue)


def test_prefill_has_a_bar_of_its_own_for_both_paths() -> None:
    bars = figures.prefill_bars(ROWS, LIGHT).data
    assert len(bars) == 2
    assert list(bars[0].y) == pytest.approx([r.points[PREFILL].median * 1e3 for r in ROWS])
    assert list(bars[1].y) == pytest.approx([r.points[NAIVE].median * 1e3 for r in ROWS])
    assert [bar.marker.color for bar in bars] == [LIGHT.blue, LIGHT.grey]


def test_fit_is_drawn_with_its_residuals_and_its_parts_sum_to_a_whole() -> None:
    found = fit(CONFIG, ROWS)
    assert found is not None
    figure = figures.fitted(CONFIG, ROWS, found, LIGHT)
    assert list(named(figure, "cached, residual").y) == pytest.approx(
        [100 * found.residuals[CACHED, n] for n in LENGTHS]
    )
    shares = figures.parts(CONFIG, found, 64, DARK).data
    assert [sum(t.x[i] for t in shares) for i in (0, 1)] == pytest.approx([100, 100])
    # What a step consists of is no path and no cell: its parts are told apart without a hue.
    assert len({t.marker.pattern.shape for t in shares}) == 3
    hues = (DARK.blue, DARK.orange, DARK.violet)
    assert not any(hue in t.marker.to_json() for t in shares for hue in hues)


def all_figures() -> list[go.Figure]:
    found = fit(CONFIG, ROWS)
    assert found is not None
    drawn = [
        figures.prefill_bars(ROWS, LIGHT),
        figures.counted_squares(1000, LIGHT),
        figures.timed_squares(2.0, 1.0, LIGHT),
    ]
    drawn += [figures.fitted(CONFIG, ROWS, found, LIGHT), figures.parts(CONFIG, found, 64, LIGHT)]
    for view in figures.VIEWS:
        drawn.append(figures.measured(ROWS, view, LIGHT, log=True, recording=RECORDING))
        drawn.append(
            figures.counted(
                CONFIG, LENGTHS, view, figures.MULTIPLICATIONS, LIGHT, log=True, bytes_per_float=4
            )
        )
    return drawn


def test_legends_hang_from_the_top_of_the_figure_where_a_wider_window_leaves_them() -> None:
    for figure in all_figures():
        assert (figure.layout.legend.yref, figure.layout.legend.y) == ("container", 1)
        assert figure.layout.legend.yanchor == "top"


def test_axis_titles_have_the_room_that_they_need() -> None:
    for figure in all_figures():
        titled = [axis for axis in figure.select_yaxes() if axis.title.text]
        assert all(axis.automargin for axis in titled)


def test_nothing_that_a_file_says_gets_into_a_figure() -> None:
    hostile = replace(
        RECORDING.provenance,
        model="<b>x</b>",
        when="![x](//host/a)",
        hardware=replace(RECORDING.provenance.hardware, name="<a href='//host'>x</a>"),
    )
    recording = replace(RECORDING, provenance=hostile)
    for view in figures.VIEWS:
        drawn = figures.measured(ROWS, view, LIGHT, log=True, recording=recording).to_json()
        assert "host" not in drawn
        assert "<b>x" not in drawn
