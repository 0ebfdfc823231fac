"""The learner's choice: from an address, to an address, and onto a model that exists."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.avoided_work.choice import AvoidedChoice
from explainer.kit.address import browser_keys, fit, parameters, read, write
from explainer.kit.choice import EXAMPLES, OPENS_AT, Common, card_for, fit_model
from explainer.walkthrough.choice import WalkthroughChoice
from kvengine import ModelCard, available_models
from kvengine.weights import SMOLLM2

CARDS = available_models()
KINDS = (Common, WalkthroughChoice, AvoidedChoice)

commons = st.builds(
    Common,
    prompt=st.text(max_size=50),
    heads=st.sampled_from([1, 2, 4, 8]),
    kv_heads=st.sampled_from([1, 2, 4, 8]),
    temperature=st.integers(0, 20).map(lambda tenths: tenths / 10),
    seed=st.integers(0, 9999),
    layer=st.integers(0, 3),
    head=st.integers(0, 7),
)


def taken(params: dict[str, str]) -> tuple[Common, WalkthroughChoice, list[str]]:
    """An address as the walkthrough takes it."""
    common, notes = read(Common, params)
    own, more = read(WalkthroughChoice, params)
    common, missing = fit_model(common, CARDS)
    config = card_for(common, CARDS).config
    common, unfit = fit(common, config)
    own, unfit_too = fit(own, config)
    return common, own, notes + more + missing + unfit + unfit_too


@given(commons, st.integers(0, 511))
def test_an_address_gives_the_choice_again(choice: Common, history: int) -> None:
    common, _ = fit_model(choice, CARDS)
    common, _ = fit(common, card_for(common, CARDS).config)
    own = WalkthroughChoice(history=history)
    assert taken(write(common) | write(own)) == (common, own, [])


@given(
    st.dictionaries(
        st.sampled_from(
            ["prompt", "heads", "kv", "length", "layer", "head", "temperature", "seed", "token", "stage", "x"]
        ),
        st.one_of(st.text(), st.integers().map(str), st.floats().map(str)),
    )
)
def test_any_address_gives_a_choice_that_a_model_can_show(params: dict[str, str]) -> None:
    common, own, _ = taken(params)
    config = card_for(common, CARDS).config
    assert (common.heads, common.kv_heads) == (config.n_heads, config.n_kv_heads)
    assert 0 <= common.layer < config.n_layers
    assert 0 <= common.head < config.n_heads
    assert 0 <= common.temperature <= 2
    assert 0 <= own.history < config.max_seq_len
    assert -1 <= own.token < config.max_seq_len
    assert 1 <= own.stage <= 5


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"heads": "3"}, "no model with 3 heads"),
        ({"kv": "banana"}, "kv=banana in the address is no whole number"),
        ({"length": "512"}, "up to 511 tokens"),
        ({"layer": "4"}, "The layers are 0 to 3; 4 was asked for, 3 is shown."),
        ({"length": "-1"}, "before the next one; -1 was asked for and ignored."),  # 0 is no length
        ({"temperature": "nan"}, "The temperature is 0 to 2"),
        ({"temperature": "5"}, "The temperature is 0 to 2; 5 was asked for, 2 is shown."),
        ({"temperature": "warm"}, "temperature=warm in the address is no number"),
        ({"prompt": "x" * 10_001}, "cut to 10,000 characters"),
        ({"stage": "9"}, "The stages are 1 to 5; 9 was asked for, 5 is shown."),
        ({"seed": "9" * 5000}, "seed=99999999999999999999999… in the address is no whole number"),
    ],
)
def test_what_cannot_be_used_is_told(params: dict[str, str], words: str) -> None:
    *_, notes = taken(params)
    assert len(notes) == 1
    assert words in notes[0]


def test_a_bare_address_is_the_default_and_the_examples_are_all_different() -> None:
    assert write(Common()) == write(WalkthroughChoice()) == write(AvoidedChoice()) == {}
    assert taken({}) == (Common(), WalkthroughChoice(), [])
    assert len(set(EXAMPLES)) == len(EXAMPLES) == 7


def test_a_smaller_model_takes_the_default_layer_and_head_without_a_word() -> None:
    small = CARDS[0].config
    assert small.n_heads == 1
    choice, notes = fit(Common(head=0, layer=3), small)
    assert notes == []
    assert choice.head == 0


def test_no_two_parameters_of_a_page_have_the_same_name() -> None:
    shared = {p.key for p in parameters(Common).values()}
    for kind in KINDS[1:]:
        own = {p.key for p in parameters(kind).values()}
        assert not own & shared
        assert not browser_keys(kind) & shared


SMOL = ModelCard(
    "smol", replace(CARDS[0].config, n_layers=30, n_heads=9, n_kv_heads=3, head_dim=64), 135_000_000
)


def test_a_further_model_is_chosen_by_its_name_and_keeps_the_heads_for_the_way_back() -> None:
    chosen, notes = fit_model(Common(model="smol", heads=4, kv_heads=4, chat=1), CARDS, (SMOL,))
    assert notes == []
    assert card_for(chosen, CARDS, (SMOL,)) is SMOL
    assert chosen.chat == 1
    back, notes = fit_model(replace(chosen, model=""), CARDS, (SMOL,))
    assert notes == []
    assert (back.heads, back.kv_heads, back.chat) == (4, 4, 0)


def test_a_real_model_opens_at_a_head_of_its_own_and_its_address_always_names_the_head() -> None:
    chosen = Common(model=SMOLLM2).opened()
    assert (chosen.layer, chosen.head) == OPENS_AT[SMOLLM2]
    first = replace(chosen, layer=Common.layer, head=Common.head)
    assert write(first) == {"model": SMOLLM2, "layer": "3", "head": "0"}
    assert replace(chosen, model="").opened() == Common()


def test_a_model_that_is_not_there_is_told_and_another_shown() -> None:
    chosen, notes = fit_model(Common(model="![x](//host/a)"), CARDS, (SMOL,))
    assert chosen.model == ""
    assert notes == ["There is no model ![x](//host/a) here; one of those that ship is shown."]
    assert card_for(chosen, CARDS, (SMOL,)) in CARDS
