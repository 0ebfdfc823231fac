"""The code page, run without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.code.choice import CodeChoice

Opened = Callable[..., AppTest]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"line": "9"},
        {"stage": "3", "token": "14"},
        {"at": "k_all"},
        {"part": "2", "change": "6"},
        {"part": "3"},
        {"kv": "1", "layer": "0"},
        {"temperature": "0.7", "token": "40"},
        {"length": "4", "token": "5"},
    ],
)
def test_it_runs_without_an_error_or_a_note(open_page: Opened, params: dict[str, str]) -> None:
    app = open_page("code", **params)
    assert not app.exception
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("part", ["1", "2"])
@pytest.mark.parametrize("prompt", ["", "🙂" * 40, "<|endoftext|>", "a story " * 400])
def test_no_prompt_breaks_it(open_page: Opened, prompt: str, part: str) -> None:
    app = open_page("code", prompt=prompt, part=part)
    assert not app.exception
    assert not app.error


def test_a_long_prompt_is_cut_for_a_cache_of_one_s_own_and_that_is_told(open_page: Opened) -> None:
    assert "its first 257 tokens" in open_page("code", prompt="a story " * 400, part="2").info[0].value


def test_nonsense_in_the_address_is_told(open_page: Opened) -> None:
    app = open_page("code", part="9", line="-3", token="x", stage="77", change="8")
    assert not app.exception
    told = app.warning[0].value.replace("\\", "")
    assert "The parts are 1 to 3; 9 was asked for, 3 is shown." in told
    assert "token=x in the address is no whole number" in told
    assert app.session_state["choice"].own[CodeChoice].part == 3


def test_a_line_that_there_is_not_is_told(open_page: Opened) -> None:
    app = open_page("code", at="<b>")
    assert not app.exception
    assert "No line of a step is called" in app.info[0].value


def test_another_part_is_chosen_with_the_buttons(open_page: Opened) -> None:
    app = open_page("code")
    app.segmented_control(key="w_part").set_value(2).run()
    assert not app.exception
    assert app.query_params["part"] == "2"
