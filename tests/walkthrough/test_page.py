"""The frame and the walkthrough's page, run without a browser."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import kvengine.weights
from explainer.kit.cache import WALKS
from explainer.kit.choice import Common
from explainer.kit.words import plain
from explainer.walkthrough.choice import WalkthroughChoice

FRAME = Path(__file__).parents[2] / "explainer" / "frame.py"
Opened = Callable[..., AppTest]


@pytest.fixture
def no_cached_models() -> Iterator[None]:
    st.cache_resource.clear()
    WALKS.clear()
    yield
    st.cache_resource.clear()
    WALKS.clear()


def test_the_start_page_runs_without_an_error_or_a_note(open_page: Opened) -> None:
    app = open_page()
    assert not app.exception
    assert not app.error
    assert not app.warning


def test_a_choice_goes_into_the_address(open_page: Opened) -> None:
    app = open_page()
    app.select_slider(key="w_heads").set_value(4).run()
    assert not app.exception
    assert app.query_params["heads"] == "4"
    app.text_input(key="w_prompt").set_value("The cat").run()
    assert app.query_params["prompt"] == "The cat"
    assert app.select_slider(key="w_history").value == 2, "the length follows the prompt"


def test_kv_heads_can_be_chosen_for_eight_heads_alone(open_page: Opened) -> None:
    app = open_page(heads="8")
    assert app.segmented_control(key="w_kv_heads").options == ["8", "4", "2", "1"]
    app.segmented_control(key="w_kv_heads").set_value(2).run()
    assert app.query_params["kv"] == "2"
    assert open_page(heads="2").segmented_control(key="w_kv_heads").options == ["2"]


@pytest.mark.parametrize("prompt", ["", " ", "\n\n", "🙂" * 40, "x" * 10_000, "<|endoftext|>", "\x00\x07"])
def test_no_prompt_breaks_the_page(open_page: Opened, prompt: str) -> None:
    app = open_page()
    app.text_input(key="w_prompt").set_value(prompt).run()
    assert not app.exception
    assert not app.error


@pytest.mark.usefixtures("no_cached_models")
@pytest.mark.parametrize("damage", ["missing", "truncated", "other shape"])
def test_a_damaged_model_gives_a_sentence_and_the_controls_stay(
    open_page: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(kvengine.weights.CHECKPOINTS, models)
    file = models / "stories-1m-h8-kv8" / "model.safetensors"
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:100_000])
    else:
        shutil.copy(models / "stories-1m-h8-kv2" / "model.safetensors", file)
    monkeypatch.setattr(kvengine.weights, "CHECKPOINTS", models)
    app = open_page()
    assert not app.exception
    assert plain("stories-1m-h8-kv8") in app.error[0].value
    app.select_slider(key="w_heads").set_value(4).run()
    assert not app.exception
    assert not app.error


def test_what_stands_in_the_address_is_shown_as_text(open_page: Opened) -> None:
    app = open_page(heads="![x](//host/a)", seed="$x^2$")
    shown = app.warning[0].value
    assert "\\!\\[x\\]\\(\\/\\/host\\/a\\)" in shown
    assert "\\$x\\^2\\$" in shown


def test_a_prompt_longer_than_the_model_says_what_is_used_and_why(open_page: Opened) -> None:
    app = open_page(prompt="a story " * 400)
    told = app.info[0].value
    assert "The model has 512 positions" in told
    assert "may fill 256 of them" in told
    assert "its first 257 tokens are used" in told


def test_a_prompt_that_is_cut_is_told_also_where_the_model_has_room_and_not_where_the_learner_cut_it(
    open_page: Opened,
) -> None:
    assert "its first 257 tokens are used" in open_page(prompt="a story " * 150).info[0].value
    assert not open_page(prompt="a story " * 150, length="64").info


def test_an_empty_prompt_is_told(open_page: Opened) -> None:
    assert (
        "The prompt is empty"
        in open_page(prompt=" ").text_input(key="w_prompt").value + open_page(prompt="").info[0].value
    )


def test_another_prompt_forgets_where_one_stood_in_the_old_one(open_page: Opened) -> None:
    app = open_page(length="9", token="11", stage="4")
    assert app.session_state["choice"].own[WalkthroughChoice] == WalkthroughChoice(9, 11, 4)
    app.text_input(key="w_prompt").set_value("The cat").run()
    assert app.session_state["choice"].own[WalkthroughChoice] == WalkthroughChoice()
    assert "length" not in app.query_params


def test_going_back_takes_the_choice_and_the_place_from_the_address(open_page: Opened) -> None:
    """As the browser's Back does: the same page again, with an address of before."""
    app = open_page(token="14", stage="2")
    before = app.session_state["choice"].revision
    app.select_slider(key="w_heads").set_value(4).run()
    assert app.session_state["choice"].revision == before, "a widget moves no place"
    app.query_params.clear()
    app.query_params["token"] = "14"
    app.query_params["stage"] = "2"
    app.run()
    session = app.session_state["choice"]
    assert session.revision == before + 1
    assert session.common == Common()
    assert (session.own[WalkthroughChoice].token, session.own[WalkthroughChoice].stage) == (14, 2)


def test_the_prompt_goes_along_to_another_page_and_back(open_page: Opened) -> None:
    app = open_page(prompt="The cat sat", layer="1")
    app.switch_page(str(FRAME.parent.parent / "pages" / "timing.py")).run()
    assert app.session_state["choice"].common.prompt == "The cat sat"
    assert app.query_params["prompt"] == "The cat sat"
    assert app.query_params["layer"] == "1"
