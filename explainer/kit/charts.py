"""How a chart and a paragraph get onto a page."""

import re
from math import ceil
from typing import Any

import streamlit as st

from explainer.kit.palette import DARK, LIGHT, Palette

PROSE = 760  # pixels, a line that is easy to read
MOST_SAID = 16  # points of a line that a screen reader is told


def palette() -> Palette:
    """The colours of the theme that the visitor has chosen."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def prose(text: str) -> None:
    """A paragraph in Markdown."""
    st.markdown(text, width=PROSE)


def plot_config(filename: str) -> dict[str, object]:
    """For st.plotly_chart: one button, which saves the figure as a PNG."""
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "scrollZoom": False,
        "toImageButtonOptions": {"format": "png", "filename": filename, "scale": 2},
    }


def chart(figure: Any, filename: str, alt: str) -> None:
    """A figure, which saves itself as `filename`.png; a screen reader hears `alt` and the numbers drawn."""
    heard = f"{alt.rstrip('.')}. {in_numbers(figure)}".strip()
    st.plotly_chart(figure, theme=None, config=plot_config(filename), alt=heard, key=f"chart_{filename}")


def in_numbers(figure: Any) -> str:
    """What each named line or bar of a figure shows: of many points some, evenly spread, with the last."""
    told = []
    for trace in figure.data:
        ends = (trace.y, trace.x) if getattr(trace, "orientation", None) == "h" else (trace.x, trace.y)
        if not trace.name or any(values is None for values in ends):
            continue
        points = [
            (along, up) for along, up in zip(*ends, strict=False) if None not in (along, up) and up == up
        ]
        step = ceil(len(points) / MOST_SAID) or 1
        some = "; ".join(f"{_said(along)}: {_said(up)}" for along, up in points[::-1][::step][::-1])
        told.append(f"{_said(trace.name)}: {some}.")
    axes = (figure.layout.yaxis.title.text, figure.layout.xaxis.title.text)
    units = f"{_said(axes[0])}, by {_said(axes[1])}. " if all(axes) else ""
    return units + " ".join(told)


def _said(value: Any) -> str:
    """A number, or a name without the marks that make it bold."""
    if isinstance(value, str):
        return " ".join(re.sub(r"<[^>]*>", " ", value).split())
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def csv_button(text: str, label: str, filename: str) -> None:
    """A button that saves a table as a file; the page stays as it is."""
    st.download_button(label, text, filename, "text/csv", icon=":material/download:", on_click="ignore")
