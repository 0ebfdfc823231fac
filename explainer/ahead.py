"""What a page needs in the browser, named in its HTML: fetched while Streamlit's own scripts load.

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
_LATER = 'fetchpriority="low"'

_IMPORTED = re.compile(r"""(?:from|import) ?["'](\.[^"']+)["']""")


def page(path: str) -> bytes | None:
    """Streamlit's HTML for the page at this path, with what its scene needs; None where there is no scene."""
    return _pages().get(f"/{_FIRST}" if path == "/" else path)


@cache
def _pages() -> dict[str, bytes]:
    """By path; made once, since every request comes by here."""
    index = (_STREAMLIT / "index.html").read_text(encoding="utf-8")
    head, rest = index.split("</head>", 1)
    return {
        f"/{scene.parent.name}": f"{head}{_links(scene.parent, index)}</head>{rest}".encode()
        for scene in _APP.glob("*/scene.js")
    }


def _links(room: Path, index: str) -> str:
    parts = [next((_STREAMLIT / "static" / "js").glob(f"{part}.*.js")) for part in _PARTS]
    theirs = [f"./{m.relative_to(_STREAMLIT)}" for m in _modules(*parts) if m.name not in index]
    ours = map(_address, _modules(_APP / "web" / "main.js", room / "scene.js"))
    styles = map(_address, (_APP / "web" / "kit.css", room / "scene.css"))
    return "".join(
        [
            *(f'<link rel="modulepreload" {_LATER} href="{module}">\n' for module in (*theirs, *ours)),
            *(f'<link rel="preload" as="style" {_LATER} href="{style}">\n' for style in styles),
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
