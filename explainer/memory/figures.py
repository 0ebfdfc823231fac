"""The memory page's charts: sums over context and batch, bounds, and measured batches."""

from collections.abc import Sequence
from math import log10
from typing import Any

import plotly.graph_objects as go

from explainer.kit.palette import Palette, lay_out
from explainer.memory.calculator import Sum
from explainer.memory.words import size
from kvengine.batch import BatchPoint
from kvengine.memory import MOST_BATCH, MOST_TOKENS, kv_bytes
from kvengine.presets import gpus

GB = 1e9
#: Lines of GPUs, beside the one that was chosen: one for each size that is sold.
SHOWN_GPUS = ("t4", "l4", "a100-40", "h100", "h200", "mi300x", "mi350x")
BATCHES = tuple(2**i for i in range(11))
#: Labels of two lines stand apart by at least this share of the axis.
APART = 0.075


def contexts(of: Sum) -> list[int]:
    """Powers of two around the chosen context, and that itself."""
    most = min(MOST_TOKENS, max(4 * of.tokens, 2 * of.model.context, 8192))
    points = [1 << i for i in range(8, 31) if 1 << i <= most]
    return sorted({*points, of.tokens})


def over_context(of: Sum, palette: Palette, *, log: bool) -> go.Figure:
    """Memory against the context, for the chosen batch."""
    points = contexts(of)
    caches = [kv_bytes(of.model.shape, n, of.fmt, batch=of.batch) for n in points]
    figure = _memory(of, points, caches, palette, log=log, at=of.tokens)
    figure.update_xaxes(title="tokens of context")
    return figure


def over_batch(of: Sum, palette: Palette, *, log: bool) -> go.Figure:
    """Memory against the number of sequences, for the chosen context."""
    points = sorted({*(b for b in BATCHES if b <= max(64, 4 * of.batch)), min(of.batch, MOST_BATCH)})
    figure = _memory(of, points, [b * of.sequence for b in points], palette, log=log, at=of.batch)
    figure.update_xaxes(title="sequences at once")
    return figure


def _memory(
    of: Sum, points: Sequence[int], caches: Sequence[int], palette: Palette, *, log: bool, at: int
) -> go.Figure:
    figure = go.Figure()
    lay_out(figure, palette)
    weights = of.weights / GB
    total = [weights + cache / GB for cache in caches]
    figure.add_scatter(
        x=points,
        y=total,
        name="weights and caches",
        mode="lines",
        line={"color": palette.ink, "width": 2.4},
        customdata=[size(of.weights + cache) for cache in caches],
        hovertemplate="%{x:,}: %{customdata}<extra>%{fullData.name}</extra>",
    )
    figure.add_scatter(
        x=points,
        y=[cache / GB for cache in caches],
        name="caches",
        mode="lines",
        line={"color": palette.blue, "width": 2.4, "dash": "dot"},
        customdata=[size(cache) for cache in caches],
        hovertemplate="%{x:,}: %{customdata}<extra>%{fullData.name}</extra>",
    )
    figure.add_scatter(
        x=points,
        y=[weights] * len(points),
        name="weights",
        mode="lines",
        line={"color": palette.muted, "width": 1.4, "dash": "dash"},
        hovertemplate=f"{size(of.weights)}<extra>weights</extra>",
    )
    here = caches[list(points).index(at)] / GB + weights
    figure.add_scatter(
        x=[at],
        y=[here],
        name="your choice",
        mode="markers",
        marker={"color": palette.ink, "size": 11, "symbol": "diamond"},
        hovertemplate="%{x:,}<extra>your choice</extra>",
        showlegend=False,
    )
    low = min(caches[0] / GB, weights) / 2 if log else 0.0
    high = max(here * (3 if log else 1.6), of.memory / GB * (2 if log else 0.0), weights * 1.3)
    starts = (weights, total[0], caches[0] / GB)
    _gpu_lines(figure, of, starts, palette, low, high, log=log)
    kind = "log" if log else "linear"
    figure.update_xaxes(type=kind, exponentformat="none", separatethousands=True)
    figure.update_yaxes(type=kind, title="GB (10⁹ bytes)", exponentformat="none", separatethousands=True)
    figure.update_yaxes(range=[log10(low), log10(high)] if log else [0, high])
    if log:
        figure.update_xaxes(**_ticks(points))
        figure.update_yaxes(dtick=1)
    else:
        shown = [x for x, y in zip(points, total, strict=True) if y <= high * 1.1] or list(points[:2])
        figure.update_xaxes(range=[0, max(*shown, at) * 1.05], nticks=6)
    figure.update_layout(height=360)
    return figure


def _ticks(points: Sequence[int]) -> dict[str, Any]:
    """A label at every power of four."""
    chosen = [x for x in points if x & (x - 1) == 0 and (x.bit_length() - 1) % 2 == 0]
    names = [f"{x:,}" if x < 10_000 else f"{x // 1024:,}k" if x < 2**20 else f"{x >> 20:,}M" for x in chosen]
    return {"tickvals": chosen, "ticktext": names, "tickangle": 0}


def _gpu_lines(
    figure: go.Figure,
    of: Sum,
    starts: Sequence[float],
    palette: Palette,
    low: float,
    high: float,
    *,
    log: bool,
) -> None:
    """A line for each GPU, named at the left where its name has room; the chosen one first.

    A name stands above its line, and below where it would cover one of the curves, which begin at `starts`.
    """
    place = (lambda y: (log10(y) - log10(low)) / (log10(high) - log10(low))) if log else (lambda y: y / high)
    lines = [(of.memory / GB, _cards(of), True)]
    lines += [(gpus()[key].memory / GB, gpus()[key].name, False) for key in SHOWN_GPUS]
    named: list[float] = []
    for memory, name, chosen in lines:
        if not low < memory < high or (not chosen and memory == of.memory / GB):
            continue
        figure.add_hline(
            y=memory,
            line={"color": palette.ink if chosen else palette.line, "width": 1.6 if chosen else 1.2},
        )
        if all(abs(place(memory) - other) > APART for other in named):
            named.append(place(memory))
            covers = any(0 <= place(start) - place(memory) < APART for start in starts if start > 0)
            figure.add_annotation(
                xref="paper",
                x=0.01,
                y=log10(memory) if log else memory,
                text=f"<b>{name}</b>" if chosen else name,
                showarrow=False,
                xanchor="left",
                yanchor="top" if covers else "bottom",
                bgcolor=palette.paper,
                borderpad=0,
                opacity=0.9,
                font={"size": 11, "color": palette.ink if chosen else palette.muted},
            )


def _cards(of: Sum) -> str:
    return of.gpu.name if of.cards == 1 else f"{of.cards} × {of.gpu.name}"


# ---- speed -----------------------------------------------------------------------------------------------


def bounds(of: Sum, palette: Palette) -> go.Figure:
    """The upper bound of tokens per second against the batch: all sequences together, and each of them."""
    figure = go.Figure()
    lay_out(figure, palette)
    points = sorted({*(b for b in BATCHES if b <= max(256, of.batch)), of.batch})
    series = (
        ("all sequences together", [of.bound_of(b) for b in points], "solid", palette.ink),
        ("each sequence", [of.bound_of(b) / b for b in points], "dot", palette.muted),
    )
    for name, values, dash, colour in series:
        figure.add_scatter(
            x=points,
            y=values,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2.4, "dash": dash},
            hovertemplate="%{x:,} sequences: at most %{y:,.3s} a second<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="sequences at once", type="log", **_ticks(points))
    figure.update_yaxes(title="tokens per second, at most", type="log", exponentformat="none", dtick=1)
    figure.update_yaxes(separatethousands=True)
    figure.update_layout(height=340)
    return figure


def measured(points: Sequence[BatchPoint], palette: Palette) -> go.Figure:
    """Measured tokens per second against the batch, beside what so many times the first would be."""
    figure = go.Figure()
    lay_out(figure, palette)
    x = [point.batch for point in points]
    first = points[0].tokens_per_second / points[0].batch
    figure.add_scatter(
        x=x,
        y=[first * b for b in x],
        name="if a step took no longer",
        mode="lines",
        line={"color": palette.muted, "width": 1.4, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=[point.tokens_per_second for point in points],
        name="measured",
        mode="lines+markers",
        line={"color": palette.blue, "width": 2.6},
        marker={"size": 8},
        error_y={
            "type": "data",
            "array": [p.batch / p.q25 - p.tokens_per_second for p in points],
            "arrayminus": [p.tokens_per_second - p.batch / p.q75 for p in points],
            "thickness": 1,
            "color": palette.ink,
        },
        hovertemplate="%{x} sequences: %{y:,.0f} tokens a second<extra>measured</extra>",
    )
    figure.update_xaxes(title="sequences at once", type="log", tickvals=x, ticktext=[str(b) for b in x])
    figure.update_yaxes(title="tokens per second", type="log", exponentformat="none", dtick="D2")
    figure.update_yaxes(separatethousands=True)
    figure.update_layout(height=340)
    return figure


def read_bytes(points: Sequence[tuple[int, float, float]], palette: Palette) -> go.Figure:
    """Bytes read for one token, of the weights and of its cache: (batch, weights ÷ batch, cache)."""
    figure = go.Figure()
    lay_out(figure, palette)
    x = [f"{batch:,}" for batch, _, _ in points]
    bars = (
        ("its share of the weights", [w for _, w, _ in points], palette.muted, "/"),
        ("its own cache", [c for _, _, c in points], palette.blue, ""),
    )
    for name, values, colour, shape in bars:
        figure.add_bar(
            x=x,
            y=[value / 1e6 for value in values],
            name=name,
            marker={
                "color": colour,
                "pattern": {"shape": shape, "size": 6, "fgcolor": colour, "bgcolor": palette.paper},
                "line": {"color": colour, "width": 1},
            },
            customdata=[size(value) for value in values],
            hovertemplate="%{x}: %{customdata}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="sequences at once", type="category")
    figure.update_yaxes(title="MB read for a token", exponentformat="none", separatethousands=True)
    figure.update_layout(barmode="stack", bargap=0.35, height=340)
    return figure


def straight(tokens: Sequence[int], used: Sequence[int], palette: Palette) -> go.Figure:
    """Bytes of the cache as they were read off after each pass: a straight line."""
    figure = go.Figure()
    lay_out(figure, palette)
    figure.add_scatter(
        x=list(tokens),
        y=list(used),
        name="bytes of the tensors",
        mode="lines+markers",
        line={"color": palette.blue, "width": 2.4},
        marker={"size": 6},
        hovertemplate="%{x} tokens: %{y:,} bytes<extra></extra>",
    )
    doubled = [used[0] * 2**i for i in range(len(used)) if used[0] * 2**i <= 3 * used[-1]]
    figure.add_scatter(
        x=list(tokens[: len(doubled)]),
        y=doubled,
        name="exponential, to compare",
        mode="lines",
        line={"color": palette.muted, "width": 1.6, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.update_xaxes(title="tokens in the cache")
    figure.update_yaxes(
        title="bytes", range=[0, 1.25 * used[-1]], exponentformat="none", separatethousands=True
    )
    figure.update_layout(height=320)
    return figure
