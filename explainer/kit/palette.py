"""Colours, once: what each means on every page, and how a chart takes them from the theme.

Orange is computed in this step. Solid blue is read instead of computed. Blue hatch is computed again although
it was known. Grey is the naive path, as a line or a clock. Grey hatch is masked. Violet came out differently.
`web/kit.css` has the same for the scenes; nothing else on a page uses these hues.
"""

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

HEIGHT = 340


@dataclass(frozen=True)
class Palette:
    """The theme's colours, written into a figure so that a saved picture has them too."""

    paper: str
    ink: str
    muted: str
    line: str
    blue: str
    orange: str
    grey: str
    violet: str


LIGHT = Palette("#fcfcfa", "#1a1c20", "#5d626b", "#e4e4df", "#2f66e8", "#c76a0a", "#4a4f59", "#9333a8")
DARK = Palette("#101317", "#eceef2", "#a3a9b4", "#2a3038", "#5f9bff", "#f0902f", "#c3c8d1", "#d58be6")


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
        # From the top of the figure: hung on the plot's area it would come down onto it as the window widens.
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
        },
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
        "automargin": True,
    }
    figure.update_xaxes(showline=True, showgrid=False, ticks="outside", **axis)
    figure.update_yaxes(**axis)


def again(palette: Palette) -> dict[str, Any]:
    """A bar's fill for work done again although its result was known: blue hatch."""
    return {
        "color": palette.blue,
        "pattern": {
            "shape": "/",
            "bgcolor": palette.paper,
            "fgcolor": palette.blue,
            "size": 6,
            "solidity": 0.5,
        },
        "line": {"color": palette.blue, "width": 1},
    }


def faded(colour: str, alpha: float) -> str:
    """A "#rrggbb" colour, see-through."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
