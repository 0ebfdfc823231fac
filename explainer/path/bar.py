"""The bar above every page: the pages in their groups, where one is on a path, and the next idea."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import streamlit as st

from explainer.kit import session
from explainer.path.way import WORDS, idea, onward, paths, place, way_of

_KEY, _FOOT = "path_bar", "path_foot"
_ROOT = '<div class="way-root"></div>'
# The bar lies in Streamlit's own header, so that it takes no height from a scene. What Streamlit tells there
# of a run that takes long stands below it.
_STYLE = """<style>
.st-key-path_bar { position: fixed; inset: 0 3.4rem auto 0; width: auto; height: 2.75rem; z-index: 999991; }
[data-testid="stLayoutWrapper"]:has(> .st-key-path_bar) { position: absolute; height: 0; }
[data-testid="stStatusWidget"] { position: fixed; top: 2.6rem; right: 0.75rem; backdrop-filter: blur(12px); }
@media (max-width: 640px) { :is(.stSpinner, .stProgress) { padding-right: 5.5rem; } }
/* The start page runs the choices while it plays: that is no reason to fade what is being looked at. */
body:not(.kv-asked) .st-key-start[data-stale="true"] { opacity: 1 !important; }
a[href="#term"] {
  color: inherit !important; text-decoration: underline dotted 1px; text-underline-offset: 4px; cursor: help;
}
@media print { .st-key-path_bar, .st-key-path_foot { display: none !important; } }
</style>"""


class Registered(Protocol):
    """A page, as `explainer/pages.py` registers it."""

    @property
    def file(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def choice(self) -> type | None: ...
    @property
    def group(self) -> str: ...
    @property
    def token(self) -> str: ...


@cache
def _component() -> Any:
    # Not the scenes' component: this one has no cells to style, and is no scene of a page.
    return st.components.v2.component("explainer.bar", html=_ROOT, js="path/bar.js", css="path/bar.css")


def seen() -> set[str]:
    """The pages that this learner has opened, for as long as the session lasts."""
    found: set[str] = st.session_state.setdefault("pages_seen", set())
    return found


def shown(pages: Sequence[Registered], here: Registered) -> dict[str, Any]:
    """What the bar has to draw on the page `here`."""
    titles = {page.file: page.title for page in pages}
    files = tuple(titles)
    chosen, been = session.common().path, seen()
    way = way_of(chosen, files)
    next_page = next(page for page in pages if page.file == onward(here.file, way, been))
    return {
        "pages": {
            page.file: {
                "title": page.title,
                "group": page.group,
                "learn": idea(page.file, page.title)["learn"],
                "seen": page.file in been,
                "query": session.link(page.choice),
            }
            for page in pages
        },
        "here": here.file,
        "home": files[0],
        "paths": [
            {"name": p.name, "short": p.short, "about": p.about, "pages": p.pages} for p in paths(files)
        ],
        "path": chosen,
        "place": place(here.file, way, been),
        "next": {
            "page": next_page.file,
            "title": next_page.title,
            "lead": idea(next_page.file, next_page.title)["lead"],
        },
        # The token that is shown goes along, where both pages show one.
        "token": [here.token, next_page.token],
        "link": session.link(),
        "words": WORDS,
    }


def draw(pages: Sequence[Registered], here: Registered) -> None:
    """The bar; call it before the page, so that it stays in place from page to page."""
    seen().add(here.file)
    st.html(_STYLE)
    with st.container(key=_KEY):
        _mount("way", {"part": "bar", **shown(pages, here)})


def foot() -> None:
    """The next idea below a page, where it does not take a one-screen page beyond its screen."""
    with st.container(key=_FOOT):
        _mount("way_foot", {"part": "foot"})


def _mount(key: str, data: dict[str, Any]) -> None:
    # As bytes: in anything else Streamlit looks for tables, all through it and at every run.
    _component()(data=json.dumps(data, ensure_ascii=False).encode(), key=key)
