"""Measured rows -> plotly figures, for a light and a dark page."""

from collections.abc import Sequence
from itertools import accumulate
from math import sqrt

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from explainer.kit.palette import Palette, lay_out
from explainer.kit.units import milliseconds
from explainer.kit.words import count
from explainer.timing.parts import (
    add_line,
    figure_with,
    length_ticks,
    mark_losses,
    shaded,
    square,
    style,
    value_axis,
)
from kvengine.config import Config
from kvengine.recording import Recording
from kvengine.speed import (
    Fit,
    points_of,
    step_bytes,
    step_cost,
    step_projections,
    total_projections,
    total_seconds,
)
from kvengine.timing import CACHED, CAT, NAIVE, PREFILL, Point, Row

VIEWS = STEP, TOTAL, RATIO = "One step", "Whole text", "Ratio"
QUANTITIES = MULTIPLICATIONS, PROJECTIONS, BYTES = "Multiplications", "Projections", "Bytes"

#: The quantities on an axis.
COUNTS = {MULTIPLICATIONS: "multiplications", PROJECTIONS: "projected rows", BYTES: "bytes read"}


def measured(
    rows: Sequence[Row], view: str, palette: Palette, *, log: bool, recording: Recording | None = None
) -> go.Figure:
    """Time of one step with its band, time of a whole text, or naive over cached, against the length."""
    figure = figure_with(palette, "tokens in the text", log=log)
    live = {path: points_of(rows, path) for path in (CACHED, NAIVE, CAT)}
    recorded = {path: recording.of(path) for path in live} if recording else {}
    if view == RATIO:
        title = "naive ÷ cached, measured"
        _add_ratio(figure, palette, _ratios(live, total=False), "one step")
        _add_ratio(figure, palette, _ratios(live, total=True), "whole text", total=True)
        if recorded:
            _add_ratio(figure, palette, _ratios(recorded, total=False), "one step, recorded", recorded=True)
    else:
        title = "ms for one step" if view == STEP else "ms for the whole text"
        for source, is_recorded in ((live, False), (recorded, True)):
            for path, points in source.items():
                if points:
                    add_line(figure, points, path, palette, total=view == TOTAL, recorded=is_recorded)
    value_axis(figure, title, log=log)
    length_ticks(figure, sorted({p.length for points in live.values() for p in points}), log=log)
    if view == STEP:
        mark_losses(figure, rows, palette)
    return figure


def counted(
    config: Config,
    lengths: Sequence[int],
    view: str,
    quantity: str,
    palette: Palette,
    *,
    log: bool,
    bytes_per_float: int,
) -> go.Figure:
    """The same lengths, counted instead of measured."""
    figure = figure_with(palette, "tokens in the text", log=log)

    def step(path: str, n: int) -> int:
        if quantity == MULTIPLICATIONS:
            return step_cost(config, path, n).multiplications
        return (
            step_projections(path, n) if quantity == PROJECTIONS else step_bytes(config, n, bytes_per_float)
        )

    def steps(path: str) -> list[int]:
        return [step(path, n) for n in lengths]

    def totals(path: str) -> list[int]:
        running = list(accumulate(step(path, n) for n in range(1, max(lengths) + 1)))
        return [running[n - 1] for n in lengths]

    if view == RATIO:
        for name, count in (("one step", steps), ("whole text", totals)):
            ratios = [naive / cached for naive, cached in zip(count(NAIVE), count(CACHED), strict=True)]
            _add_ratio(figure, palette, (list(lengths), ratios), name, total=name == "whole text")
        title = f"naive ÷ cached, {COUNTS[quantity]}"
    else:
        for path in (CACHED, NAIVE):
            figure.add_scatter(
                x=list(lengths),
                y=steps(path) if view == STEP else totals(path),
                **style(path, palette),
                hovertemplate="%{x:,} tokens: %{y:,}<extra>%{fullData.name}</extra>",
            )
        title = f"{COUNTS[quantity]}, {view.lower()}"
    value_axis(figure, title, log=log)
    length_ticks(figure, lengths, log=log)
    return figure


def prefill_bars(rows: Sequence[Row], palette: Palette) -> go.Figure:
    """Time to the first token: the prefill of the cached path beside the naive path's first pass."""
    figure = figure_with(palette, "tokens in the prompt")
    for path, name, colour in (
        (PREFILL, "cached path, prefill", palette.blue),
        (NAIVE, "naive path, first pass", palette.grey),
    ):
        points = points_of(rows, path)
        figure.add_bar(
            x=[f"{p.length:,}" for p in points],
            y=[p.median * 1e3 for p in points],
            name=name,
            marker={"color": colour},
            error_y={
                "type": "data",
                "array": [(p.q75 - p.median) * 1e3 for p in points],
                "arrayminus": [(p.median - p.q25) * 1e3 for p in points],
                "color": palette.ink,
                "thickness": 1,
            },
            hovertemplate="%{x} tokens: %{y:.3g} ms<extra></extra>",
        )
    figure.update_xaxes(type="category")
    value_axis(figure, "ms to the first token", log=True)
    figure.update_layout(barmode="group", bargap=0.3)
    return figure


def counted_squares(n: int, palette: Palette) -> go.Figure:
    """Squares whose areas are the projected rows of a text of `n` tokens.

    Orange must be computed; the naive square holds just as much of it, and all else in it is hatched:
    computed again although it was known.
    """
    naive, cached = total_projections(NAIVE, n), total_projections(CACHED, n)
    figure, side = figure_with(palette, ""), sqrt(cached / naive)
    square(figure, 0, 1, palette.blue, f"naive<br>{count(naive, 'row')}", palette, hatched=True)
    square(figure, 0, side, palette.orange, "", palette)
    square(figure, 1.15, side, palette.orange, f"cached<br>{count(cached, 'row')}", palette)
    return _squares(figure)


def timed_squares(naive: float, cached: float, palette: Palette) -> go.Figure:
    """Squares whose areas are the measured times, in seconds."""
    figure, most = figure_with(palette, ""), max(naive, cached)
    square(figure, 0, sqrt(naive / most), palette.grey, f"naive<br>{milliseconds(naive)}", palette)
    square(figure, 1.15, sqrt(cached / most), palette.blue, f"cached<br>{milliseconds(cached)}", palette)
    return _squares(figure)


def _squares(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(visible=False, range=[-0.02, 2.2], constrain="domain", constraintoward="left")
    figure.update_yaxes(visible=False, range=[-0.25, 1.02], scaleanchor="x", scaleratio=1)
    figure.update_layout(margin={"l": 0, "r": 0, "t": 4, "b": 0}, height=280, showlegend=False)
    return figure


def fitted(config: Config, rows: Sequence[Row], fit: Fit, palette: Palette) -> go.Figure:
    """Above, the model's line through the measured points; below, by how much it misses each."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.07)
    lay_out(figure, palette)
    for path in (CACHED, NAIVE):
        points = points_of(rows, path)
        x = [p.length for p in points]
        look = style(path, palette)
        model = [sum(fit.parts(config, path, n)) * 1e3 for n in x]
        figure.add_scatter(
            x=x,
            y=[p.median * 1e3 for p in points],
            name=f"{path}, measured",
            mode="markers",
            marker={**look["marker"], "size": 9},
            hovertemplate="%{x:,} tokens: %{y:.3g} ms<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=x,
            y=model,
            name=f"{path}, fitted",
            mode="lines",
            line=look["line"],
            hovertemplate="%{x:,} tokens: %{y:.3g} ms<extra>%{fullData.name}</extra>",
        )
        figure.add_scatter(
            x=x,
            y=[100 * fit.residuals[path, n] for n in x],
            showlegend=False,
            mode="markers",
            name=f"{path}, residual",
            marker=look["marker"],
            hovertemplate="%{x:,} tokens: fitted %{y:+.0f}% off<extra>%{fullData.name}</extra>",
            row=2,
            col=1,
        )
    figure.add_hline(y=0, line={"color": palette.muted, "width": 1}, row=2, col=1)
    figure.update_xaxes(type="log")
    length_ticks(figure, [row.length for row in rows], log=True)
    figure.update_xaxes(title="tokens in the text", row=2, col=1)
    figure.update_yaxes(title="ms for one step", type="log", dtick="D2", row=1, col=1)
    figure.update_yaxes(title="miss, %", row=2, col=1)
    figure.update_layout(height=420)
    return figure


def parts(config: Config, fit: Fit, length: int, palette: Palette) -> go.Figure:
    """Where the fitted time of one step goes, as a share: fixed, multiplying, growing with the history."""
    figure = figure_with(palette, "% of the fitted step")
    split = {path: fit.parts(config, path, length) for path in (CACHED, NAIVE)}
    names = {path: f"{path}<br>{milliseconds(sum(split[path]))}" for path in (NAIVE, CACHED)}
    terms = (
        ("fixed", 0.3, ""),
        ("multiplying", 0.85, "x"),
        ("grows with the history", 0.6, "."),
    )
    for i, (term, alpha, shape) in enumerate(terms):
        figure.add_bar(
            y=list(names.values()),
            x=[100 * split[path][i] / sum(split[path]) for path in names],
            customdata=[milliseconds(split[path][i]) for path in names],
            name=term,
            orientation="h",
            marker=shaded(palette, alpha, shape),
            hovertemplate="%{customdata}, %{x:.0f}%<extra>%{fullData.name}</extra>",
        )
    figure.update_layout(barmode="stack", height=230, bargap=0.35, legend_traceorder="normal")
    figure.update_yaxes(showgrid=False)
    return figure


def _ratios(points: dict[str, list[Point]], *, total: bool) -> tuple[list[int], list[float]]:
    """Naive over cached at the lengths that both have."""
    cached, naive = ({p.length: p for p in points[path]} for path in (CACHED, NAIVE))
    lengths = sorted(cached.keys() & naive.keys())
    if total:
        sums = {path: [total_seconds(points[path], n) for n in lengths] for path in (CACHED, NAIVE)}
        return lengths, [n / c for n, c in zip(sums[NAIVE], sums[CACHED], strict=True)]
    return lengths, [naive[n].median / cached[n].median for n in lengths]


def _add_ratio(
    figure: go.Figure,
    palette: Palette,
    curve: tuple[list[int], list[float]],
    name: str,
    *,
    total: bool = False,
    recorded: bool = False,
) -> None:
    colour = palette.muted if total else palette.blue
    figure.add_scatter(
        x=curve[0],
        y=curve[1],
        name=name,
        mode="lines" if recorded else "lines+markers",
        line={
            "color": colour,
            "dash": "longdashdot" if recorded else "dot" if total else "solid",
            "width": 1.2 if recorded else 2.2,
        },
        marker={"color": colour, "symbol": "square" if total else "circle", "size": 7},
        hovertemplate="%{x:,} tokens: %{y:,.3g}×<extra>%{fullData.name}</extra>",
    )
    if len(figure.data) == 1:
        figure.add_hline(y=1, line={"color": palette.muted, "width": 1, "dash": "dash"})
