"""How a scene's files become a component."""

from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def register(name: str, html: str) -> Any:
    """A components-v2 mount function for `name/scene.js` and `name/scene.css`, the shared cells in front."""

    def read(suffix: str) -> str:
        files = (_HERE / "shared" / f"cells.{suffix}", _HERE / name / f"scene.{suffix}")
        return "\n".join(file.read_text(encoding="utf-8") for file in files)

    return st.components.v2.component(f"kv_{name}", html=html, css=read("css"), js=read("js"))
