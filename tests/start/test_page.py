"""The start page, run without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.start.choice import StartChoice

Opened = Callable[..., AppTest]


@pytest.mark.parametrize(
    "params", [{}, {"word": "4"}, {"part": "2", "keep": "kv"}, {"temperature": "0.7"}, {"kv": "1"}]
)
def test_it_runs_without_an_error_or_a_note(open_page: Opened, params: dict[str, str]) -> None:
    app = open_page("start", **params)
    assert not app.exception
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("prompt", ["", " ", "🙂" * 40, "x" * 10_000, "<|endoftext|>", "a story " * 400])
def test_no_prompt_breaks_it(open_page: Opened, prompt: str) -> None:
    app = open_page("start", prompt=prompt)
    assert not app.exception
    assert not app.error


def test_a_long_prompt_is_cut_and_that_is_told(open_page: Opened) -> None:
    told = open_page("start", prompt="a story " * 400).info[0].value
    assert "its first 257" in told


def test_an_empty_prompt_is_told(open_page: Opened) -> None:
    assert "The prompt is empty" in open_page("start", prompt="").info[0].value


def test_what_is_kept_is_read_from_the_address(open_page: Opened) -> None:
    app = open_page("start", part="2", keep="kx")
    assert app.session_state["choice"].own[StartChoice] == StartChoice(0, 2, "kx")


def test_nonsense_in_the_address_is_told(open_page: Opened) -> None:
    app = open_page("start", word="99", part="7")
    assert "The words are 0 to 16; 99 was asked for, 16 is shown." in app.warning[0].value.replace("\\", "")
    assert not app.exception


@pytest.mark.parametrize(
    "params", [{"stage": "4"}, {"token": "15"}, {"stage": "2", "token": "14", "layer": "1"}]
)
def test_an_old_link_opens_the_walkthrough_with_all_that_it_says(
    open_page: Opened, params: dict[str, str]
) -> None:
    app = open_page("start", **params)
    assert not app.exception
    assert app.session_state["choice"].page == "walkthrough"
    assert {key: app.query_params[key] for key in params} == params


def test_the_scene_keeps_its_place_on_the_page_while_the_choices_are_run(open_page: Opened) -> None:
    """Else Streamlit takes it off the page until they are: it plays meanwhile."""
    places = []
    for part in ("1", "2"):
        children = open_page("start", word="10", part=part).main.children.values()
        places.append([child.type for child in children])
    assert places[0] == places[1]
