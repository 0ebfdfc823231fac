"""What a page draws only for who scrolls to it."""

from functools import cache
from typing import Any

import streamlit as st


@cache
def _component() -> Any:
    return st.components.v2.component("explainer.seen", html='<div class="place"></div>', js="web/seen.js")


def seen(key: str) -> bool:
    """Whether the learner has scrolled to this place of the page, or past it, now or before in this session.

    Plotly's 4.7 MB hold up whatever else a page has just begun to draw, and many visits end above its charts.
    To be asked in a fragment: only that one runs again once the place comes into sight.
    """
    flag = f"{key}_was_seen"
    if not st.session_state.get(flag, False):

        def note() -> None:
            st.session_state[flag] = True

        _component()(key=f"{key}_place", on_seen_change=note)
    return bool(st.session_state.get(flag, False))
