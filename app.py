"""The frame that every page stands in: navigation, and the choice of prompt, model and length."""

import streamlit as st

from explainer import ui

st.set_page_config(page_title="The KV cache, live", page_icon=ui.ICON, layout="wide")

page = st.navigation(
    [
        st.Page("pages/walkthrough.py", title="Walkthrough", default=True),
        st.Page("pages/avoided_work.py", title="The avoided work"),
        st.Page("pages/timing.py", title="Timing lab"),
    ],
    position="top",
)
with ui.errors_shown():
    ui.restore(page.url_path)
    ui.controls(length=page.url_path == "")
    page.run()
