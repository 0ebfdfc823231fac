"""How a scene's files become a component."""

from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent


def register(name: str, html: str) -> Any:
    """A components-v2 mount function for the .js and .css files of `name`, the shared ones in front.

    They are joined to one module, `scene` last, since an inline component cannot import.
    """

    def read(suffix: str) -> str:
        files = [*sorted((_HERE / "shared").glob(f"*.{suffix}")), *sorted((_HERE / name).glob(f"*.{suffix}"))]
        return "\n".join(file.read_text(encoding="utf-8") for file in files)

    return st.components.v2.component(f"kv_{name}", html=html, css=read("css"), js=read("js"))
