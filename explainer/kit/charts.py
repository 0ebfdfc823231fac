"""How a chart and a paragraph get onto a page."""

import re
from collections.abc import Iterable
from html import escape
from math import ceil
from typing import Any

import streamlit as st

from explainer.kit.palette import DARK, LIGHT, Palette

PROSE = 760  # pixels, a line that is easy to read
MOST_ROWS = 32  # of the table below a chart


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
    """A figure, which saves itself as `filename`.png, and its numbers; a screen reader hears `alt`."""
    st.plotly_chart(figure, theme=None, config=plot_config(filename), alt=alt, key=f"chart_{filename}")
    numbers(figure)


def numbers(figure: Any) -> None:
    """What a figure draws as a table, for whoever opens it or cannot see the picture."""
    table = as_table(figure)
    if table:
        st.html(table)


def as_table(figure: Any) -> str:
    """HTML with a column for each named line or bar; of many points some, evenly spread, with the last.

    Empty where nothing of it has a name and points.
    """
    columns: dict[str, dict[Any, Any]] = {}
    for trace in figure.data:
        flat = getattr(trace, "orientation", None) == "h"
        along, up = (trace.y, trace.x) if flat else (trace.x, trace.y)
        if trace.name and along is not None and up is not None:
            pairs = zip(along, up, strict=False)
            points = {at: value for at, value in pairs if None not in (at, value) and value == value}
            columns.setdefault(_said(trace.name), {}).update(points)
    rows = list(dict.fromkeys(at for points in columns.values() for at in points))
    if not rows:
        return ""
    if not any(isinstance(at, str) for at in rows):
        rows.sort()
    rows = rows[::-1][:: ceil(len(rows) / MOST_ROWS)][::-1]

    titles = ["; ".join(_titles(axes)) for axes in (figure.select_xaxes(), figure.select_yaxes())]
    first, unit = titles[::-1] if any(getattr(t, "orientation", None) == "h" for t in figure.data) else titles
    corner = f'<th scope="col">{escape(first)}</th>' if first else "<td></td>"
    head = corner + "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(_said(at))}</th>'
        + "".join(f"<td>{escape(_said(of[at])) if at in of else '–'}</td>" for of in columns.values())
        + "</tr>"
        for at in rows
    )
    return (
        f'<details class="numbers-of"><summary>As a table</summary><div tabindex="0"><table>'
        f"<caption>{escape(unit)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _titles(axes: Iterable[Any]) -> list[str]:
    return [_said(axis.title.text) for axis in axes if axis.title.text]


def _said(value: Any) -> str:
    """A number, or a name without the marks that make it bold."""
    if isinstance(value, str):
        return " ".join(re.sub(r"<[^>]*>", " ", value).split())
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def csv_button(text: str, label: str, filename: str) -> None:
    """A button that saves a table as a file; the page stays as it is."""
    st.download_button(label, text, filename, "text/csv", icon=":material/download:", on_click="ignore")
