"""How a chart and a paragraph get onto a page."""

from typing import Any

import streamlit as st

from explainer.kit.palette import DARK, LIGHT, Palette

PROSE = 760  # pixels, a line that is easy to read


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
    """A figure, which saves itself as `filename`.png; `alt` is what a screen reader hears."""
    st.plotly_chart(figure, theme=None, config=plot_config(filename), alt=alt, key=f"chart_{filename}")


def csv_button(text: str, label: str, filename: str) -> None:
    """A button that saves a table as a file; the page stays as it is."""
    st.download_button(label, text, filename, "text/csv", icon=":material/download:", on_click="ignore")
