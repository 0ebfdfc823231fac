"""What the timing figures are made of: axes, lines with bands, marks and squares."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from explainer.kit.palette import Palette, again, faded, lay_out
from explainer.timing.words import NAMES
from kvengine.speed import total_seconds, verdict
from kvengine.timing import CACHED, CAT, NAIVE, Point, Row


def figure_with(palette: Palette, x_title: str, *, log: bool = False) -> go.Figure:
    figure = go.Figure()
    lay_out(figure, palette)
    figure.update_xaxes(title=x_title, type="log" if log else "linear")
    return figure


def length_ticks(figure: go.Figure, lengths: Sequence[int], *, log: bool) -> None:
    """Label measured lengths themselves on a logarithmic axis: each, or every other one where they crowd."""
    shown = sorted(lengths, reverse=True)[:: 1 if len(lengths) < 8 else 2]
    if log:
        figure.update_xaxes(tickvals=shown, ticktext=[f"{n:,}" for n in shown], tickangle=0)


def value_axis(figure: go.Figure, title: str, *, log: bool) -> None:
    """A y axis; a logarithmic one labels 1, 2 and 5 while that stays readable."""
    figure.update_yaxes(title=title, type="log" if log else "linear")
    values = [y for trace in figure.data for y in trace.y or () if y and y > 0]
    if log and values:
        figure.update_yaxes(dtick="D2" if max(values) < 300 * min(values) else 1)


def shaded(palette: Palette, alpha: float, shape: str) -> dict[str, Any]:
    """A bar's fill without a hue: ink, more or less of it, in a pattern of its own."""
    fill = {
        "shape": shape,
        "bgcolor": palette.paper,
        "fgcolor": faded(palette.ink, alpha),
        "size": 6,
        "solidity": 0.5,
    }
    return {
        "color": faded(palette.ink, alpha),
        "pattern": fill if shape else None,
        "line": {"color": palette.paper, "width": 1},
    }


def style(path: str, palette: Palette) -> dict[str, Any]:
    """Each path by colour, dash and marker at once, so that none needs its hue to be told apart."""
    colour, dash, width, symbol = {
        CACHED: (palette.blue, "solid", 2.6, "circle"),
        NAIVE: (palette.grey, "dash", 2.2, "square"),
        CAT: (palette.ink, "dot", 1.4, "x-thin-open"),
    }[path]
    return {
        "name": NAMES[path],
        "mode": "lines+markers",
        "line": {"color": colour, "dash": dash, "width": width},
        "marker": {"color": colour, "symbol": symbol, "size": 7},
    }


def add_line(
    figure: go.Figure, points: Sequence[Point], path: str, palette: Palette, *, total: bool, recorded: bool
) -> None:
    """Medians in milliseconds, with their band for the two paths; a recorded run is a thin line alone."""
    x = [p.length for p in points]
    look = style(path, palette)
    if recorded:
        look |= {
            "name": f"{NAMES[path]}, recorded",
            "mode": "lines",
            "line": {"color": look["line"]["color"], "dash": "longdashdot", "width": 1.2},
        }
    elif not total and path != CAT:
        figure.add_scatter(
            x=[*x, *reversed(x)],
            y=[p.q75 * 1e3 for p in points] + [p.q25 * 1e3 for p in reversed(points)],
            fill="toself",
            fillcolor=faded(look["line"]["color"], 0.16),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            name=f"{NAMES[path]}, middle half",
        )
    y = [(total_seconds(points, p.length) if total else p.median) * 1e3 for p in points]
    figure.add_scatter(
        x=x,
        y=y,
        **look,
        hovertemplate="%{x:,} tokens: %{y:.3g} ms<extra>%{fullData.name}</extra>",
    )


def mark_losses(figure: go.Figure, rows: Sequence[Row], palette: Palette) -> None:
    """Ring each length at which the cached path is clearly slower, in the legend too."""
    loses = [row for row in rows if verdict(row) == NAIVE]
    if not loses:
        return
    figure.add_scatter(
        x=[row.length for row in loses],
        y=[row.points[CACHED].median * 1e3 for row in loses],
        name="the cache loses here",
        mode="markers",
        marker={"symbol": "circle-open", "size": 15, "color": palette.ink, "line": {"width": 2}},
        hovertemplate="%{x:,} tokens: the cached step is slower<extra></extra>",
    )


def square(
    figure: go.Figure,
    left: float,
    side: float,
    colour: str,
    label: str,
    palette: Palette,
    *,
    hatched: bool = False,
) -> None:
    """A filled square standing at y = 0, its label under it; hatched is work done again."""
    fill = again(palette)
    figure.add_scatter(
        x=[left, left + side, left + side, left, left],
        y=[0, 0, side, side, 0],
        fill="toself",
        fillcolor=colour,
        fillpattern=fill["pattern"] if hatched else None,
        line=fill["line"] if hatched else {"color": palette.paper, "width": 1},
        mode="lines",
        hoverinfo="skip",
    )
    if label:
        figure.add_annotation(
            x=left, y=-0.03, text=label, showarrow=False, xanchor="left", yanchor="top", align="left"
        )
