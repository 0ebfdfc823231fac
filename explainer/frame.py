"""The script that Streamlit runs for every visitor: navigation, the controls, and the page below them."""

from typing import Any

import streamlit as st

from explainer.kit import scene
from explainer.kit.cache import large
from explainer.kit.controls import controls
from explainer.kit.session import card, errors_shown, restore
from explainer.kit.turn import turn
from explainer.pages import DIRECTORY, ICON, PAGES, Page
from explainer.path import bar

#: What the address of the walkthrough has, and that of the start page has not.
OLD_LINK = {"stage", "token"}

# Made once a session: each looks for its file on the disk.
if "pages" not in st.session_state:
    st.session_state["pages"] = {
        st.Page(DIRECTORY / f"{page.file}.py", title=page.title, default=page is PAGES[0]): page
        for page in PAGES
    }
entries: dict[Any, Page] = st.session_state["pages"]
chosen = st.navigation(list(entries), position="hidden")  # the bar shows them
page = entries[chosen]
NAME = "The KV cache, live"
# Many tabs, and a browser's history, are told apart by their titles.
title = NAME if page is PAGES[0] else f"{page.title} · {NAME}"
st.set_page_config(page_title=title, page_icon=ICON, layout="wide")
# A link from before there was a start page names a stage or a token of the walkthrough, then the first page.
# Followed only as a session opens: else Back could never go past it.
if page.file == "start" and "opened" not in st.session_state and OLD_LINK & set(st.query_params):
    st.session_state["opened"] = True
    walkthrough = next(entry for entry in entries if entries[entry].file == "walkthrough")
    st.switch_page(walkthrough, query_params=st.query_params.to_dict())
st.session_state["opened"] = True
with errors_shown():
    restore(page.file, page.choice)
    # A real model takes too long for others to wait for it.
    with turn(wanted=not large(card().name)):
        bar.draw(PAGES, page)
        controls(waiting=page.controls_wait and not scene.sent(page.file, "controls"))
        chosen.run()
        if page is not PAGES[0]:  # that one has doors of its own
            bar.foot()
