"""The script that Streamlit runs for every visitor: navigation, the controls, and the page below them."""

from pathlib import Path

import streamlit as st

from explainer.kit.controls import controls
from explainer.kit.session import errors_shown, restore
from explainer.pages import DIRECTORY, PAGES

#: The page's icon; one of streamlit's own would be fetched from the internet.
ICON = Path(__file__).parent / "kit" / "icon.svg"

st.set_page_config(page_title="The KV cache, live", page_icon=ICON, layout="wide")
entries = {
    st.Page(DIRECTORY / f"{page.file}.py", title=page.title, default=page is PAGES[0]): page for page in PAGES
}
chosen = st.navigation(list(entries), position="top")
page = entries[chosen]
with errors_shown():
    restore(page.file, page.choice)
    controls()
    chosen.run()
