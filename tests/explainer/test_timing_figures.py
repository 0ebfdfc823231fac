"""The timing lab's figures and sentences: what they draw and say is in the rows, and nothing else."""

from itertools import pairwise
from math import prod

import plotly.graph_objects as go
import pytest

from explainer.figures import timing as figures
from explainer.figures.timing_parts import DARK, LIGHT, Palette
from explainer.story import timing as story
from explainer.story.units import byte_size, milliseconds, rate, times
from kvengine import available_models
from kvengine.hardware import Hardware
from kvengine.recording import Provenance, Recording
from kvengine.speed import fit, points_of, step_cost, total_seconds
from kvengine.timing import CACHED, CAT, NAIVE, PREFILL, Agreement, Point, Row, TimedStep

CONFIG = next(card.config for card in available_models() if card.name == "stories-1m-h8-kv2")
LENGTHS = (1, 4, 16, 64)


def a_row(n: int, cached: float, naive: float, *, cat: bool = False) -> Row:
    times = {CACHED: cached, NAIVE: naive, PREFILL: naive} | ({CAT: 2 * cached} if cat else {})
    points = {path: Point(path, n, t * 0.95, t, t * 1.05, 9) for path, t in times.items()}
    return Row(n, points, same_token=True, difference=1e-6)


ROWS = [a_row(n, 1e-3 + n * 1e-6, 8e-4 + n * 4e-5, cat=True) for n in LENGTHS]
RECORDING = Recording(
    Provenance(
        "2026-01-31T12:00:00+00:00", "some-model", "float32", Hardware("Some GPU", "cuda", 8, 4, "2.13.0")
    ),
    tuple(Point(path, n, 1e-4, 2e-4, 3e-4, 9) for path in (CACHED, NAIVE) for n in LENGTHS),
)


def named(figure: go.Figure, name: str) -> go.Scatter:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("log", [True, False], ids=["log", "linear"])
def test_lines_are_the_medians_and_bands_the_quartiles(palette: Palette, log: bool) -> None:
    figure = figures.measured(ROWS, figures.STEP, palette, log=log)
    for path in (CACHED, NAIVE, CAT):
        line = named(figure, story.NAMES[path])
        assert list(line.x) == list(LENGTHS)
        assert list(line.y) == pytest.approx([p.median * 1e3 for p in points_of(ROWS, path)])
    band = named(figure, "cached, middle half")
    assert max(band.y) == pytest.approx(ROWS[-1].points[CACHED].q75 * 1e3)
    assert figure.layout.yaxis.type == ("log" if log else "linear")
    assert figure.layout.paper_bgcolor == palette.paper


def test_no_two_lines_differ_by_hue_alone() -> None:
    figure = figures.measured(ROWS, figures.STEP, LIGHT, log=True)
    lines = [t for t in figure.data if t.name in story.NAMES.values()]
    assert len({(t.line.dash, t.marker.symbol) for t in lines}) == len(lines) == 3


def test_where_the_cache_loses_is_marked() -> None:
    figure = figures.measured(ROWS, figures.STEP, LIGHT, log=False)
    assert list(named(figure, "the cache loses here").x) == [1]
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


def test_areas_are_to_scale() -> None:
    figure = figures.to_scale(1000, LIGHT, (10.0, 0.4))
    areas = [prod(max(axis) - min(axis) for axis in (t.x, t.y)) for t in figure.data]
    naive_count, inner, cached_count, naive_time, cached_time = areas
    assert naive_count / cached_count == pytest.approx(500_500 / 1_000)
    assert inner == pytest.approx(cached_count)
    assert naive_time / cached_time == pytest.approx(25)
    labels = " ".join(a.text for a in figure.layout.annotations)
    assert "500,500" in labels
    assert "1,000" in labels
    edges = sorted((min(t.x), max(t.x)) for t in figure.data if t is not figure.data[1])
    assert all(left[1] < right[0] for left, right in pairwise(edges))


def test_prefill_has_a_bar_of_its_own_for_both_paths() -> None:
    bars = figures.prefill_bars(ROWS, LIGHT).data
    assert len(bars) == 2
    assert list(bars[0].y) == pytest.approx([r.points[PREFILL].median * 1e3 for r in ROWS])
    assert list(bars[1].y) == pytest.approx([r.points[NAIVE].median * 1e3 for r in ROWS])


def test_fit_is_drawn_with_its_residuals_and_its_parts_sum_to_a_whole() -> None:
    found = fit(CONFIG, ROWS, 4)
    assert found is not None
    figure = figures.fitted(CONFIG, ROWS, found, 4, LIGHT)
    assert list(named(figure, "cached, residual").y) == pytest.approx(
        [100 * found.residuals[CACHED, n] for n in LENGTHS]
    )
    shares = figures.parts(CONFIG, found, 64, 4, DARK).data
    assert [sum(t.x[i] for t in shares) for i in (0, 1)] == pytest.approx([100, 100])


# ---- sentences -------------------------------------------------------------------------------------------


def test_race_line_tells_clocks_tokens_and_prefill_from_the_steps() -> None:
    steps = [
        TimedStep(path, 5 + i, 7 + i, seconds)
        for i in range(4)
        for path, seconds in ((CACHED, 0.001), (NAIVE, 0.003))
    ]
    line = story.race_line(steps)
    for said in ("4 tokens", "4.00 ms", "12 ms", "cached path was 3.0× faster", "All 4 tokens are the same"):
        assert said in line
    other = [*steps[:-1], TimedStep(NAIVE, 8, 999, 0.003)]
    assert "3 of 4 tokens are the same" in story.race_line(other)
    assert story.race_line([]) == story.race_line(steps[:1]) == ""


def test_losing_line_says_where_the_cache_costs_and_from_where_it_pays() -> None:
    line = story.losing_line(ROWS)
    assert "loses at 1 token:" in line
    assert "clearly ahead from 16 tokens on" in line
    assert "It is clearly ahead at every one" in story.losing_line(ROWS[2:])
    assert "Nor is it clearly ahead" in story.losing_line([a_row(4, 1e-3, 1e-3)])


def test_reasons_are_filled_in_from_the_run() -> None:
    found = fit(CONFIG, ROWS, 4)
    assert found is not None
    (first, numbers), *_ = story.fit_reasons(CONFIG, ROWS, found, 4)
    assert first.startswith("64× fewer projections, ")
    assert milliseconds(ROWS[-1].points[CACHED].median) in numbers
    assert "a second" in story.fit_line(found)


def test_scale_line_is_the_count() -> None:
    assert "**500,500** projected rows against **1,000**, 500.5× fewer" in story.scale_line(1000)


def test_recorded_numbers_are_never_called_live() -> None:
    line = story.recorded_line(RECORDING.provenance)
    assert line.startswith("Recorded, not measured here")
    assert "Some GPU, 8 cores (cuda, 4 threads), torch 2.13.0" in line


def test_small_sentences() -> None:
    assert story.past_context_line(512, 512) == ""
    assert "trained on 512 positions" in story.past_context_line(512, 2048)
    assert "1 measurement is ahead" in story.queue_line(1)
    assert "3 measurements are ahead" in story.queue_line(3)
    assert story.progress_line(1, LENGTHS) == "1 of 4 lengths measured, now 4 tokens"
    assert "first 448 are used" in story.cut_line(900, 448)
    assert story.agreement_row(Agreement("float32", 9, 8, 1e-6))["same next token"] == "8 of 9 steps"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (milliseconds(0.000771), "0.77 ms"),
        (milliseconds(0.0123), "12 ms"),
        (milliseconds(1.436), "1.44 s"),
        (times(500.5), "500.5×"),
        (times(1024), "1,024×"),
        (times(427.71), "428×"),
        (times(1.26), "1.3×"),
        (rate(3.21e9), "3.21 billion"),
        (byte_size(2_100_000), "2.1 MB"),
        (byte_size(12), "12 bytes"),
    ],
)
def test_quantities_read_well(said: str, expected: str) -> None:
    assert said == expected
