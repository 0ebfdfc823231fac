"""What the timing figures are made of: colours, axes, lines with bands, marks and squares."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import plotly.graph_objects as go

from explainer.story.timing import NAMES
from kvengine.speed import total_seconds, verdict
from kvengine.timing import CACHED, CAT, NAIVE, Point, Row

HEIGHT = 340


@dataclass(frozen=True)
class Palette:
    """The theme's colours, written into the figure so that a saved picture has them too."""

    paper: str
    ink: str
    muted: str
    line: str
    blue: str
    orange: str
    grey: str


LIGHT = Palette("#fcfcfa", "#1a1c20", "#5d626b", "#e4e4df", "#2563eb", "#c76a0a", "#4a4f59")
DARK = Palette("#101317", "#eceef2", "#a3a9b4", "#2a3038", "#6ea8fe", "#f0902f", "#c3c8d1")


def figure_with(palette: Palette, x_title: str, *, log: bool = False) -> go.Figure:
    figure = go.Figure()
    lay_out(figure, palette)
    figure.update_xaxes(title=x_title, type="log" if log else "linear")
    return figure


def lay_out(figure: go.Figure, palette: Palette) -> None:
    """No hue, no grid line and no font but the page's own."""
    figure.update_layout(
        template="none",
        height=HEIGHT,
        margin={"l": 64, "r": 12, "t": 46, "b": 46},
        paper_bgcolor=palette.paper,
        plot_bgcolor=palette.paper,
        font={"family": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", "size": 13},
        font_color=palette.ink,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        hoverlabel={"bgcolor": palette.paper, "font": {"color": palette.ink}, "bordercolor": palette.muted},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": palette.muted, "activecolor": palette.ink},
        dragmode=False,
    )
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.muted,
        "tickcolor": palette.muted,
        "zeroline": False,
        "color": palette.muted,
        "title_standoff": 8,
    }
    figure.update_xaxes(showline=True, showgrid=False, ticks="outside", **axis)
    figure.update_yaxes(**axis)


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


def hatched(colour: str, shape: str, palette: Palette) -> dict[str, Any]:
    """A bar's fill: the colour, with a pattern of the paper in it."""
    return {
        "color": colour,
        "pattern": {"shape": shape, "bgcolor": colour, "fgcolor": palette.paper, "size": 6, "solidity": 0.25},
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


def mark_losses(figure: go.Figure, rows: Sequence[Row], palette: Palette, *, log: bool) -> None:
    """Mark each length at which the cached path is clearly slower than the naive one."""
    loses = [row for row in rows if verdict(row) == NAIVE]
    if not loses:
        return
    figure.add_scatter(
        x=[row.length for row in loses],
        y=[row.points[CACHED].median * 1e3 for row in loses],
        name="the cache loses here",
        mode="markers",
        marker={"symbol": "circle-open", "size": 15, "color": palette.orange, "line": {"width": 2.5}},
        hovertemplate="%{x:,} tokens: the cached step is slower<extra></extra>",
    )
    last = max(loses, key=lambda row: row.length)
    x, y = last.length, last.points[CACHED].median * 1e3
    figure.add_annotation(
        x=log10(x) if log else x,
        y=log10(y) if log else y,
        text=f"the cache loses up to {x:,}" if x > 1 else "the cache loses at 1 token",
        xanchor="left",
        ax=14,
        ay=-42,
        arrowcolor=palette.muted,
        font={"color": palette.ink},
    )


def square(figure: go.Figure, left: float, side: float, colour: str, label: str, palette: Palette) -> None:
    """A filled square standing at y = 0, its label under it."""
    figure.add_scatter(
        x=[left, left + side, left + side, left, left],
        y=[0, 0, side, side, 0],
        fill="toself",
        fillcolor=colour,
        line={"color": palette.paper, "width": 1},
        mode="lines",
        hoverinfo="skip",
    )
    if label:
        figure.add_annotation(
            x=left, y=-0.03, text=label, showarrow=False, xanchor="left", yanchor="top", align="left"
        )


def faded(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
