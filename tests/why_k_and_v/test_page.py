"""The page "Why K and V", run without a browser."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.why_k_and_v.choice import WhyChoice, changed_of

Opened = Callable[..., AppTest]


@pytest.mark.parametrize("prompt", ["", " ", "🙂" * 12, "x" * 300, "<|endoftext|>", "a story " * 100, "Hi"])
def test_no_prompt_breaks_it(open_page: Opened, prompt: str) -> None:
    app = open_page("why_k_and_v", prompt=prompt)
    assert not app.exception
    assert not app.error


def test_a_long_prompt_is_cut_and_that_is_told(open_page: Opened) -> None:
    assert "its first 48" in open_page("why_k_and_v", prompt="a story " * 100).info[0].value


def test_an_empty_prompt_is_told(open_page: Opened) -> None:
    assert "The prompt is empty" in open_page("why_k_and_v", prompt="").info[0].value


@pytest.mark.parametrize(
    "name", ["", "Tom", "🙂", "Zoë-Ann", "<|endoftext|>", "a\nb", "W" * 24, "12", "*b*", "Kip Zola"]
)
def test_no_name_breaks_it(open_page: Opened, name: str) -> None:
    app = open_page("why_k_and_v", stage="12", name=name)
    assert not app.exception
    assert not app.error


def test_what_is_in_the_address_is_taken_from_there(open_page: Opened) -> None:
    app = open_page("why_k_and_v", stage="10", changed="1", name="Trixo", row="4", reader="2", piece="2")
    chosen = WhyChoice(stage=10, changed=1, name="Trixo", row=4, reader=2, piece=2)
    assert app.session_state["choice"].own[WhyChoice] == chosen
    assert not app.warning


def test_nonsense_in_the_address_is_told(open_page: Opened) -> None:
    app = open_page("why_k_and_v", stage="99", changed="-4", reader="x", name="N" * 99)
    assert not app.exception
    told = app.warning[0].value.replace("\\", "")
    assert "The stages are 1 to 12; 99 was asked for, 12 is shown." in told
    assert "reader=x in the address is no whole number" in told
    assert "The name was cut to 24 characters." in told


@pytest.mark.parametrize(("heads", "kv"), [("1", "1"), ("8", "2")])
def test_every_kind_of_model_can_be_asked(open_page: Opened, heads: str, kv: str) -> None:
    app = open_page("why_k_and_v", heads=heads, kv=kv, temperature="0.8")
    assert not app.exception
    assert not app.error


def test_a_token_that_cannot_be_changed_is_not() -> None:
    assert changed_of(WhyChoice(), 13) == 3
    assert changed_of(WhyChoice(changed=99), 13) == 12
    assert changed_of(WhyChoice(changed=40), 2) == 1
    assert changed_of(WhyChoice(), 1) == 0, "of a single earlier token there is none"
