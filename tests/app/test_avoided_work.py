"""The page of the avoided work, driven without a browser: its length, its experiments, its address."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

APP = Path(__file__).resolve().parents[2] / "app.py"


def open_page(**params: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    for key, value in params.items():
        app.query_params[key] = value
    return app.run().switch_page("pages/avoided_work.py").run()


def test_the_page_opens_with_the_prompt_and_nothing_broken() -> None:
    app = open_page()
    assert not app.exception
    assert not app.error
    assert app.select_slider("w_blue_length").value == 13
    assert app.segmented_control("w_broken").value == 0
    assert not app.selectbox


def test_the_length_is_chosen_here_and_kept_in_the_address() -> None:
    app = open_page()
    app.select_slider("w_blue_length").set_value(5).run()
    assert not app.exception
    assert app.query_params["tokens"] == "5"
    assert app.session_state["choice"].blue_length == 5
    assert app.session_state["choice"].history == 0


@pytest.mark.parametrize("t", ["2", "64"])
def test_the_shortest_and_the_longest_text_can_be_compared(t: str) -> None:
    app = open_page(tokens=t, premise="-1")
    assert not app.exception
    assert app.select_slider("w_blue_length").value == int(t)
    assert app.segmented_control("w_broken").value == -1


def test_a_token_is_changed_and_another_one_picked() -> None:
    app = open_page()
    app.segmented_control("w_broken").set_value(1).run()
    assert app.query_params["premise"] == "3"
    picker = app.selectbox("w_changed")
    assert picker.value == 3
    assert picker.options[picker.index] == "3  Sara"
    picker.set_value(9).run()
    assert app.query_params["premise"] == "9"
    app.segmented_control("w_broken").set_value(0).run()
    assert "premise" not in app.query_params
    assert not app.exception


def test_a_changed_token_behind_a_shorter_text_is_taken_back() -> None:
    app = open_page(premise="9", tokens="4")
    assert not app.exception
    assert app.selectbox("w_changed").value == 3


def test_a_length_that_cannot_be_drawn_becomes_the_longest_that_can() -> None:
    app = open_page(tokens="900")
    assert app.select_slider("w_blue_length").value == 64
    assert not app.exception
