"""The learner's choice: from an address, to an address, and onto a model that exists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.state import EXAMPLES, Choice, card_for, fit, from_address, to_address
from kvengine import available_models

CARDS = available_models()

choices = st.builds(
    Choice,
    prompt=st.text(max_size=50),
    heads=st.sampled_from([1, 2, 4, 8]),
    kv_heads=st.sampled_from([1, 2, 4, 8]),
    history=st.integers(0, 511),
    temperature=st.integers(0, 20).map(lambda tenths: tenths / 10),
    seed=st.integers(0, 9999),
    layer=st.integers(0, 3),
    head=st.integers(0, 7),
)


@given(choices)
def test_an_address_gives_the_choice_again(choice: Choice) -> None:
    fitted, _ = fit(choice, CARDS)
    assert from_address(to_address(fitted), CARDS) == (fitted, [])


@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt", "heads", "kv", "length", "layer", "head", "temperature", "seed", "token", "stage", "x"]
        ),
        st.text(),
    )
)
def test_any_address_gives_a_choice_that_a_model_can_show(params: dict[str, str]) -> None:
    choice, _ = from_address(params, CARDS)
    config = card_for(choice, CARDS).config
    assert (choice.heads, choice.kv_heads) == (config.n_heads, config.n_kv_heads)
    assert 0 <= choice.layer < config.n_layers
    assert 0 <= choice.head < config.n_heads
    assert 0 <= choice.history < config.max_seq_len
    assert -1 <= choice.token < config.max_seq_len
    assert 0 <= choice.temperature <= 2
    assert 1 <= choice.stage <= 5


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"heads": "3"}, "no model with 3 heads"),
        ({"kv": "banana"}, "kv=banana in the address is no whole number"),
        ({"length": "512"}, "1 to 511 tokens"),
        ({"layer": "4"}, "The layers are 0 to 3"),
        ({"temperature": "nan"}, "The temperature is 0 to 2"),
        ({"temperature": "warm"}, "temperature=warm in the address is no number"),
        ({"prompt": "x" * 10_001}, "cut to 10,000 characters"),
    ],
)
def test_what_cannot_be_used_is_told(params: dict[str, str], words: str) -> None:
    _, notes = from_address(params, CARDS)
    assert len(notes) == 1
    assert words in notes[0]


def test_the_start_page_has_a_bare_address_and_the_examples_are_all_different() -> None:
    assert to_address(Choice()) == {}
    assert from_address({}, CARDS) == (Choice(), [])
    assert len(set(EXAMPLES)) == len(EXAMPLES) == 6
