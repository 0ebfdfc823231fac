"""The numbers of the hand page against a pencil's: fractions, and the engine's other ways."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from explainer.by_hand.choice import TABLES, UNITS, VOCABULARY, Given, HandChoice
from explainer.by_hand.choice import given as read
from explainer.by_hand.numbers import written
from explainer.by_hand.runs import runs_of
from explainer.by_hand.scene import on_paper
from kvengine import PromptError, generate
from kvengine.paper import Mistake, Numbers, difference, model_of, two_rounds, without_cache
from tests.by_hand.by_fractions import OnPaper, agrees, round_of

EXAMPLE, _ = read(HandChoice())

small = st.builds(Fraction, st.integers(-9, 9), st.sampled_from([1, 1, 1, 2, 3, 4]))
row = st.lists(small, min_size=4, max_size=4).map(tuple)
tables = st.fixed_dictionaries(
    {name: st.lists(row, min_size=rows, max_size=rows).map(tuple) for name, rows in TABLES.items()}
)
prompts = st.tuples(*[st.integers(0, len(VOCABULARY) - 1)] * 3)
numbers = st.builds(Given, prompts, tables, st.sampled_from(sorted(UNITS)))


def assert_shown(shown: dict[str, Any], right: OnPaper) -> None:
    assert shown["ids"] == right.ids
    for part in ("products", "scores", "weights", "z", "sum", "logits"):
        for text, value in zip(shown[part], getattr(right, part), strict=True):
            assert agrees(text, value), (part, text, value)
    for part in ("k", "v"):
        for texts, values in zip(shown[part], getattr(right, part), strict=True):
            assert all(map(agrees, texts, values)), (part, texts, values)
    assert all(map(agrees, shown["q"], right.q))
    assert shown["next"] == right.next


@settings(max_examples=25)
@given(numbers)
@example(EXAMPLE)
def test_every_number_is_a_pencils_to_the_last_digit(chosen: Given) -> None:
    lists = {name: [list(line) for line in rows] for name, rows in chosen.tables.items()}
    runs = runs_of(chosen.numbers, chosen.prompt)
    for letters, rounds in runs.rounds.items():
        first = round_of(lists, list(chosen.prompt), chosen.unit, divisor=3 if "n" in letters else 2)
        ids = [*chosen.prompt, rounds[0].next_token]
        second = round_of(
            lists,
            ids,
            chosen.unit,
            query=first.q if "q" in letters else None,
            divisor=4 if "n" in letters else 2,
        )
        for part, right in zip(rounds, (first, second), strict=True):
            assert_shown(on_paper(part, chosen.numbers), right)


def test_a_fraction_with_a_large_denominator_is_no_other_that_lies_near() -> None:
    """−2254022/949 is nearer to it than one part in ten billion."""
    assert written(float(Fraction(-12312803, 5184))) == "−2375.155"


def test_the_example_needs_no_calculator() -> None:
    for part in runs_of(EXAMPLE.numbers, EXAMPLE.prompt).rounds[""]:
        shown = on_paper(part, EXAMPLE.numbers)
        assert shown["softmax"]["exact"]
        assert not any("." in text for name in ("weights", "z", "sum", "logits") for text in shown[name])


def test_the_example_says_a_sentence_and_each_mistake_spoils_it() -> None:
    said = {
        letters: [VOCABULARY[part.next_token] for part in rounds]
        for letters, rounds in runs_of(EXAMPLE.numbers, EXAMPLE.prompt).rounds.items()
    }
    assert said == {
        "": ["down", "quietly"],
        "q": ["down", "down"],
        "n": ["down", "down"],
        "qn": ["down", "down"],
    }


@given(numbers)
@settings(max_examples=10)
def test_the_round_on_the_cache_is_the_round_without_one(chosen: Given) -> None:
    first, second = runs_of(chosen.numbers, chosen.prompt).rounds[""]
    largest, compared = runs_of(chosen.numbers, chosen.prompt).proofs[""]
    assert compared == 2 * 16 + 4 + 4 + 4 + 4 + len(VOCABULARY)
    assert largest <= 1e-9 * max(1, np.abs(second.scores).max(), np.abs(second.logits).max())
    assert second.start == len(first.token_ids)
    np.testing.assert_array_equal(second.k[: second.start], first.k)
    np.testing.assert_array_equal(second.v[: second.start], first.v)


def test_it_is_the_engine_that_generates() -> None:
    model = model_of(EXAMPLE.numbers)
    for use_cache in (True, False):
        steps = generate(model, list(EXAMPLE.prompt), max_new_tokens=2, use_cache=use_cache)
        assert [VOCABULARY[step.token_id] for step in steps] == ["down", "quietly"]


def test_norms_and_positions_do_nothing_exactly() -> None:
    model = model_of(EXAMPLE.numbers)
    seen: dict[str, torch.Tensor] = {}
    model(torch.tensor([[0, 1, 2, 3]]), None, lambda name, tensor: seen.setdefault(name, tensor))
    layer = "layers.0."
    same = [
        ("embed", layer + "attn_norm"),
        (layer + "attn.q", layer + "attn.q_rot"),
        (layer + "attn.k", layer + "attn.k_rot"),
        (layer + "resid_mid", layer + "ffn_norm"),
        (layer + "resid_mid", layer + "resid_post"),
        (layer + "resid_post", "norm"),
    ]
    for one, other in same:
        assert torch.equal(seen[one], seen[other]), (one, other)
    assert torch.equal(seen[layer + "attn.z"][0, 0], seen[layer + "attn.out"][0])


def test_a_mistake_leaves_what_comes_before_it_alone() -> None:
    model = model_of(EXAMPLE.numbers)
    right = two_rounds(model, EXAMPLE.prompt)
    old = two_rounds(model, EXAMPLE.prompt, Mistake(old_query=True))
    assert difference(old[0], right[0])[0] == 0
    np.testing.assert_array_equal(old[1].asked, right[0].q)
    np.testing.assert_array_equal(old[1].q, right[1].q)
    by_length = two_rounds(model, EXAMPLE.prompt, Mistake(by_length=True))
    np.testing.assert_allclose(by_length[0].products, right[0].products)
    np.testing.assert_allclose(by_length[1].scores, right[1].scores / 2)
    assert [part.divisor for part in by_length] == [3, 4]


def test_without_a_word_there_is_nothing_to_run() -> None:
    model = model_of(EXAMPLE.numbers)
    with pytest.raises(PromptError, match="at least one"):
        two_rounds(model, ())
    with pytest.raises(ValueError, match="rows of 4"):
        model_of(Numbers(((1.0,),), *[((0.0,) * 4,) * 4] * 3))
    assert without_cache(model, (0,)).weights == pytest.approx([1.0])
    assert EXAMPLE.numbers.unit == math.log(2)
