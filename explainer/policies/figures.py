"""The policies page's charts: loss against memory, along a text, and with and without the first row."""

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from explainer.kit.palette import Palette, lay_out
from explainer.policies.measure import FIRSTS, PIECE, Along, FirstPoint, LossPoint
from explainer.policies.rules import RULES, title

KIB = 1024
#: Nats above the full cache that a chart of first rows shows.
SPAN = 2.0
#: What tells the policies apart beside the words: no hue of the page's has a meaning here.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash")


def top(points: Sequence[LossPoint]) -> float:
    """The largest loss that the chart has room for: what is hopeless would press the others together."""
    shown = [p.late for p in points if p.rule in ("full", "window", "random")]
    return max(min(shown, default=0) + 0.6, *(loss + 0.1 for loss in shown), 0)


def above(points: Sequence[LossPoint]) -> list[LossPoint]:
    """What it has no room for."""
    return [p for p in points if p.late > top(points)]


def against_memory(points: Sequence[LossPoint], budget: int, palette: Palette) -> go.Figure:
    """Each policy a line over its budgets; each format a point; the full cache a level line."""
    figure = go.Figure()
    lay_out(figure, palette)
    budgeted = [name for name, rule in RULES.items() if rule.budgeted]
    for i, name in enumerate(budgeted):
        line = sorted((p for p in points if p.rule == name), key=lambda p: p.bytes)
        if not line:
            continue
        colour = palette.muted if name == "random" else palette.ink
        figure.add_scatter(
            x=[p.bytes / KIB for p in line],
            y=[p.late for p in line],
            name=title(name),
            mode="lines+markers",
            line={"color": colour, "width": 1.6, "dash": DASHES[i]},
            marker={"symbol": SYMBOLS[i], "size": 9, "color": colour},
            customdata=[p.budget for p in line],
            hovertemplate="%{customdata} rows, %{x:,.0f} KiB: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    for p in points:
        if RULES[p.rule].budgeted:
            continue
        if p.rule == "full":
            figure.add_hline(y=p.late, line={"color": palette.blue, "width": 1.5})
        figure.add_scatter(
            x=[p.bytes / KIB],
            y=[p.late],
            name=title(p.rule),
            mode="markers+text",
            text=[title(p.rule).split(",")[0] if p.rule != "kivi" else "KIVI"],
            textposition="top left" if p.rule == "full" else "top center",
            marker={"symbol": "hexagon", "size": 11, "color": palette.blue},
            showlegend=False,
            hovertemplate="%{x:,.0f} KiB: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    if points:
        low = min(p.late for p in points)
        bottom, most = low - 0.08, top(points)
        figure.update_yaxes(range=[bottom, most])
        here = next((p.bytes for p in points if p.budget == budget and p.rule == "window"), None)
        if here is not None:
            figure.add_scatter(
                x=[here / KIB] * 2,
                y=[bottom, most],
                name=f"{budget} rows",
                mode="lines",
                line={"color": palette.muted, "width": 1, "dash": "dot"},
                hoverinfo="skip",
            )
        sizes = [p.bytes / KIB for p in points]
        figure.update_xaxes(range=[math.log10(min(sizes) / 1.2), math.log10(max(sizes) * 1.35)])
    ticks = [2**i for i in range(2, 11)]
    figure.update_xaxes(title="KiB of cache at the end of a text", type="log", tickvals=ticks)
    figure.update_yaxes(title="nats per token")
    legend = {"yref": "paper", "y": -0.16, "yanchor": "top"}
    figure.update_layout(height=590, legend=legend, margin={"r": 12, "t": 16})
    return figure


def along(lines: Sequence[Along], names: Mapping[str, str], context: int, palette: Palette) -> go.Figure:
    """Loss in pieces of a text, and where the positions of the training end."""
    figure = go.Figure()
    lay_out(figure, palette)
    styles = {
        "full": (palette.grey, "dot"),
        "window": (palette.ink, "dash"),
        "sinks": (palette.violet, "longdash"),
        "places": (palette.blue, "solid"),
    }
    for line in lines:
        colour, dash = styles[line.rule]
        figure.add_scatter(
            x=[PIECE * (i + 0.5) for i in range(len(line.means))],
            y=line.means,
            name=names[line.rule],
            mode="lines",
            line={"color": colour, "width": 2.2, "dash": dash},
            hovertemplate="%{x:,.0f}: %{y:.2f}<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(x=context, line={"color": palette.muted, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=context,
        y=1,
        yref="paper",
        text="trained up to here",
        showarrow=False,
        xanchor="left",
        font_color=palette.muted,
    )
    figure.update_xaxes(title="position in the text")
    figure.update_yaxes(title="nats per token")
    return figure


def first_rows(points: Sequence[FirstPoint], names: Sequence[str], palette: Palette) -> go.Figure:
    """One model: loss over the window, a line for each number of first rows."""
    figure = go.Figure()
    lay_out(figure, palette)
    for firsts, name, colour, dash in zip(
        FIRSTS, names, (palette.violet, palette.blue, palette.ink), ("dash", "solid", "dot"), strict=True
    ):
        line = sorted(
            (p.window, p.loss)
            for p in points
            if p.window and p.firsts == firsts and not p.silent and not p.swapped
        )
        if line:
            figure.add_scatter(
                x=[str(window) for window, _ in line],
                y=[loss for _, loss in line],
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 9, "symbol": {0: "x", 1: "circle", 4: "diamond"}[firsts]},
                hovertemplate="window %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
    for p in points:
        if p.window is None and not p.swapped:
            figure.add_hline(
                y=p.loss,
                line={"color": palette.grey, "width": 1.4, "dash": "dot"},
                annotation={"text": "full cache", "font_color": palette.muted},
                annotation_position="top left",  # where no line comes near it
            )
    full = next((p.loss for p in points if p.window is None and not p.swapped), None)
    if full is not None:  # as many nats on each chart, so that they can be held against each other
        figure.update_yaxes(range=[full - 0.15, full + SPAN])
    windows = sorted({p.window for p in points if p.window})
    figure.update_xaxes(
        title="newest rows kept",
        type="category",
        categoryorder="array",
        categoryarray=[str(w) for w in windows],
    )
    figure.update_yaxes(title="nats per token")
    return figure
