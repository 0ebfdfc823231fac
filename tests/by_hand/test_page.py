"""The hand page, run without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.by_hand.choice import VOCABULARY, HandChoice, edited, given
from explainer.by_hand.numbers import NumberError, parse, plain, table

Opened = Callable[..., AppTest]


@pytest.mark.parametrize(
    "params", [{}, {"step": "16", "wrong": "qn"}, {"unit": "1"}, {"wq": "1/2 " * 16}, {"words": "4 4 4"}]
)
def test_it_runs_without_an_error_or_a_note(open_page: Opened, params: dict[str, str]) -> None:
    app = open_page("by_hand", **params)
    assert not app.exception
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"wq": "1 2 3"}, "W_Q in the address: It has 16 numbers, and 3 were given."),
        ({"wk": "one " * 16}, "W_K in the address: “one” is no number for paper"),
        ({"wv": "99 " * 16}, "W_V in the address: 99 is too large to multiply by hand"),
        ({"x": "1e9 " * 20}, "The embeddings in the address: “1e9” is no number"),
        ({"x": "0 " * 2000}, "The numbers in the address were cut to 400 characters."),
        ({"words": "0 1 9"}, "The words in the address have to be 3 numbers from 0 to 4"),
        ({"words": "½"}, "The words in the address have to be 3 numbers"),
        ({"unit": "pi"}, "The factor of W_Q in the address is neither ln2 nor 1"),
        ({"step": "99"}, "The steps are 1 to 16; 99 was asked for, 16 is shown."),
    ],
)
def test_nonsense_in_the_address_is_told_and_the_example_is_shown(
    open_page: Opened, params: dict[str, str], told: str
) -> None:
    app = open_page("by_hand", **params)
    assert not app.exception
    assert any(told in note.value.replace("\\", "") for note in app.warning)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), (" −3 ", -3), ("+1/2", 0.5), ("0.25", 0.25), ("-1/3", -1 / 3), ("9", 9), ("007", 7)],
)
def test_a_number_is_read_as_it_is_written(text: str, value: float) -> None:
    assert float(parse(text)) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", " ", "x", "1e3", "1/0", "--1", "1.234", "10", "9.5", "9" * 10, "1/2/3", "∞", "nan", "٣x", "1 2"],
)
def test_what_is_no_number_for_paper_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(NumberError, match=r"^.{10,140}\.$"):
        parse(text)


def fields(**changed: list[str]) -> dict[str, object]:
    choice = HandChoice()
    found: dict[str, object] = {name: getattr(choice, name).split() for name in ("embed", "wq", "wk", "wv")}
    return {**found, "words": [0, 1, 2], "unit": "ln2", **changed}


def test_edited_fields_become_the_address_and_back() -> None:
    changes, wrong, why = edited(fields(wq=["0.5", "-1/3", *["0"] * 14]))
    assert not wrong
    assert not why
    assert changes["wq"] == "1/2 -1/3" + " 0" * 14
    read, notes = given(HandChoice(**changes))
    assert not notes
    assert plain(read.tables["wq"]) == changes["wq"]
    assert table(changes["wk"], 4, 4) == given(HandChoice())[0].tables["wk"]


def test_wrong_fields_are_named_and_change_nothing() -> None:
    changes, wrong, why = edited(fields(wq=["0", "", *["0"] * 13, "99"], wv=["a"] * 16))
    assert not changes
    assert wrong == {"wq": [1, 15], "wv": list(range(16))}
    assert why == "W_Q: A field is empty; write a number, or 0."


@pytest.mark.parametrize("sent", [{}, {"wq": "text"}, fields(wq=["1"] * 3)])
def test_fields_that_are_not_there_change_nothing(sent: dict[str, object]) -> None:
    changes, wrong, why = edited(sent)
    assert not changes
    assert not wrong
    assert why.endswith("numbers are needed.")


def test_words_that_do_not_exist_are_left_as_they_were() -> None:
    for words in ([0, 1], [0, 1, len(VOCABULARY)], ["a", [], None], "012"):
        assert "words" not in edited({**fields(), "words": words})[0]


def test_a_session_goes_on_with_what_was_written(open_page: Opened) -> None:
    app = open_page("by_hand", wq="1 " * 16)
    assert app.session_state["choice"].own[HandChoice].wq.split() == ["1"] * 16
