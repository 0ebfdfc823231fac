"""What a page needs in the browser, named in its header: fetched while Streamlit's own scripts load.

Otherwise each file is asked for only when the one that imports it has come, and the first of them only when
Streamlit has loaded all of its own, opened its connection and run the page.
"""

import re
from functools import cache
from pathlib import Path

import streamlit

_APP = Path(__file__).resolve().parent  # what imports name is resolved, too
_STREAMLIT = Path(streamlit.__file__).resolve().parent / "static"
#: The page that opens.
_FIRST = "start"
#: Streamlit's own parts that are loaded when a page first draws a scene.
_PARTS = ("BidiComponent", "Html")

#: Streamlit's own scripts come first: nothing of a scene runs before they have.
_LATER = "fetchpriority=low"

_IMPORTED = re.compile(r"""(?:from|import) ?["'](\.[^"']+)["']""")


def links(path: str) -> str:
    """The `Link` header for the page at this path; empty where there is no page with a scene."""
    return _links().get(path.strip("/") or _FIRST, "")


@cache
def _links() -> dict[str, str]:
    """By page; made once, since every request comes by here."""
    return {scene.parent.name: _links_of(scene.parent) for scene in _APP.glob("*/scene.js")}


def _links_of(room: Path) -> str:
    scene = _modules(_APP / "web" / "main.js", room / "scene.js")
    styles = [_APP / "web" / "kit.css", room / "scene.css"]
    index = (_STREAMLIT / "index.html").read_text(encoding="utf-8")
    parts = [next((_STREAMLIT / "static" / "js").glob(f"{part}.*.js")) for part in _PARTS]
    own = [module for module in _modules(*parts) if module.name not in index]
    return ", ".join(
        [
            *(f"<./{module.relative_to(_STREAMLIT)}>; rel=modulepreload; {_LATER}" for module in own),
            *(f"<{_address(module)}>; rel=modulepreload; {_LATER}" for module in scene),
            *(f"<{_address(style)}>; rel=preload; as=style; {_LATER}" for style in styles),
        ]
    )


def _address(file: Path) -> str:
    return f"./_stcore/bidi-components/explainer.scene/{file.relative_to(_APP).as_posix()}"


def _modules(*entries: Path) -> list[Path]:
    """These modules and all that they import."""
    found: list[Path] = []
    waiting = list(entries)
    while waiting:
        module = waiting.pop(0)
        if module not in found:
            found.append(module)
            text = module.read_text(encoding="utf-8")
            waiting += [(module.parent / path).resolve() for path in _IMPORTED.findall(text)]
    return found
