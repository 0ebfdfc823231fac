"""The script that Streamlit runs for every visitor: navigation, the controls, and the page below them."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from explainer.avoided_work.choice import AvoidedChoice
from explainer.kit.controls import controls
from explainer.kit.session import errors_shown, restore
from explainer.walkthrough.choice import WalkthroughChoice

PAGES_DIRECTORY = Path(__file__).parent.parent / "pages"

#: The page's icon; one of streamlit's own would be fetched from the internet.
ICON = Path(__file__).parent / "kit" / "icon.svg"


@dataclass(frozen=True)
class Page:
    """A page: its file below `pages/`, its name, and the class that declares its address parameters."""

    file: str
    title: str
    choice: type | None = None


#: The first is the one that opens.
PAGES = (
    Page("walkthrough", "Walkthrough", WalkthroughChoice),
    Page("avoided_work", "The avoided work", AvoidedChoice),
    Page("timing", "Timing lab"),
)


def run() -> None:
    st.set_page_config(page_title="The KV cache, live", page_icon=ICON, layout="wide")
    shown = {
        page.file: st.Page(PAGES_DIRECTORY / f"{page.file}.py", title=page.title, default=page is PAGES[0])
        for page in PAGES
    }
    chosen = st.navigation(list(shown.values()), position="top")
    page = next(page for page in PAGES if shown[page.file] == chosen)
    with errors_shown():
        restore(page.file, page.choice)
        controls()
        chosen.run()


run()
