"""The page of the avoided work, driven without a browser: its length, its experiments, its address."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.avoided_work.choice import AvoidedChoice, premise_of
from explainer.avoided_work.lengths import shares_by_length
from explainer.kit.cache import RECOMPUTATIONS, recomputation

Opened = Callable[..., AppTest]
PAGE = "avoided_work"
MODEL = "stories-1m-h8-kv8"


def test_the_page_opens_with_the_prompt_and_nothing_broken(open_page: Opened) -> None:
    app = open_page(PAGE)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.select_slider(key="w_compared").value == 13
    assert app.segmented_control(key="w_premise").value == 0
    assert "w_changed" not in {box.key for box in app.selectbox}


def test_the_length_is_chosen_here_and_kept_in_the_address(open_page: Opened) -> None:
    app = open_page(PAGE)
    app.select_slider(key="w_compared").set_value(5).run()
    assert not app.exception
    assert app.query_params["tokens"] == "5"


@pytest.mark.parametrize("t", ["2", "64"])
def test_the_shortest_and_the_longest_text_can_be_compared(open_page: Opened, t: str) -> None:
    app = open_page(PAGE, tokens=t, premise="-1")
    assert not app.exception
    assert app.select_slider(key="w_compared").value == int(t)
    assert app.segmented_control(key="w_premise").value == -1


def test_a_token_is_changed_and_another_one_picked(open_page: Opened) -> None:
    app = open_page(PAGE)
    app.segmented_control(key="w_premise").set_value(1).run()
    assert app.query_params["premise"] == "3"
    picker = app.selectbox(key="w_changed")
    assert picker.value == 3
    assert picker.options[picker.index] == "3  Sara"
    picker.set_value(9).run()
    assert app.query_params["premise"] == "9"
    app.segmented_control(key="w_premise").set_value(0).run()
    assert "premise" not in app.query_params
    assert not app.exception


def test_a_changed_token_behind_a_shorter_text_is_taken_back(open_page: Opened) -> None:
    app = open_page(PAGE, premise="9", tokens="4")
    assert not app.exception
    assert app.selectbox(key="w_changed").value == 3
    assert [premise_of(AvoidedChoice(premise=p), 4) for p in (-1, 0, 2, 3, 4, 63)] == [-1, 0, 2, 3, 3, 3]


def test_a_length_that_cannot_be_drawn_becomes_the_longest_that_can(open_page: Opened) -> None:
    app = open_page(PAGE, tokens="900")
    assert app.select_slider(key="w_compared").value == 64
    assert not app.exception
    assert len(app.warning) == 1


def test_a_prompt_too_long_to_draw_is_cut_and_that_is_told(open_page: Opened) -> None:
    app = open_page(PAGE, prompt="Tom went to the park. " * 30)
    assert not app.exception
    [note] = app.info
    assert "its first 65 are used" in note.value


def test_an_experiment_without_anything_before_it_is_left_out_of_the_chart() -> None:
    ids = tuple(range(40))
    chosen = {"t": 13, "temperature": 0.0, "seed": 0}
    as_is = shares_by_length(MODEL, ids, premise=0, **chosen)
    broken = shares_by_length(MODEL, ids, premise=5, **chosen)
    assert list(as_is) == [2, 4, 8, 13, 16, 24, 32, 48, 64]
    assert list(broken) == [8, 13, 16, 24, 32, 48, 64]
    assert as_is[13].different == 0
    assert broken[13].different > 0.1, "the chart follows the experiment"


def test_a_comparison_is_made_once_and_weighed() -> None:
    chosen = {"t": 6, "premise": -1, "temperature": 0.0, "seed": 0}
    key, found = recomputation(MODEL, (0, 5, 9), **chosen)
    again = recomputation(MODEL, (0, 5, 9), **chosen)
    assert again == (key, found)
    assert again[1] is found
    kept = RECOMPUTATIONS.peek(key)
    assert kept is not None
    parts = [
        array.nbytes for tensor in found.tensors.values() for array in (tensor.was, tensor.now, tensor.state)
    ]
    assert kept.nbytes >= sum(parts)
    assert recomputation(MODEL, (0, 5, 9), **(chosen | {"premise": 0}))[0] != key
