"""The bar above every page, run without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explainer.pages import PAGES
from explainer.path import bar

Opened = Callable[..., AppTest]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A session state of our own, for what the browser sends."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


def test_pages_that_were_opened_are_remembered_in_the_session_and_nowhere_else(open_page: Opened) -> None:
    app = open_page("heard")
    assert app.session_state["pages_seen"] == {"start", "heard"}
    assert "seen" not in str(dict(app.query_params))
    assert open_page("start").session_state["pages_seen"] == {"start"}


def test_a_path_stands_in_the_address_and_goes_along(open_page: Opened) -> None:
    app = open_page("start", path="2")
    assert app.session_state["choice"].common.path == 2
    assert app.query_params["path"] == "2"


def test_a_path_that_does_not_exist_is_told(open_page: Opened) -> None:
    app = open_page("start", path="40")
    assert "The paths are 1, of ten minutes, and 2, of forty" in app.warning[0].value.replace("\\", "")
    assert not app.exception


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.file)
def test_the_bar_leads_on_from_every_page(session: dict[str, Any], page: Any) -> None:
    shown = bar.shown(PAGES, page)
    assert shown["here"] == page.file
    assert shown["next"]["page"] in {other.file for other in PAGES} - {page.file}
    assert all(set(path["pages"]) <= set(shown["pages"]) for path in shown["paths"])
