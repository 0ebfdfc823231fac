"""The cache used wrongly: each way does what it says, and only the right way gives the right text."""

import numpy as np
import pytest
import torch

from kvengine import ContextLengthError, PromptError, Tokenizer, Transformer, generate
from kvengine.misuse import MISUSES, Misuse, Outcome, misuse, misuses, query_multiplications
from kvengine.model import _rotate
from kvengine.trace import trace
from kvengine.walk import Walk

TEXT = "Tom and Sara went to the park. Tom gave the ball to"
SAME = 1e-3
Outcomes = dict[Misuse, Outcome]


@pytest.fixture(scope="module")
def prompt(tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(TEXT)


@pytest.fixture(scope="module")
def outcomes(story_model: Transformer, prompt: list[int]) -> Outcomes:
    return {how: misuse(story_model, prompt, how, words=6) for how in MISUSES}


@pytest.mark.parametrize("how", ["right", "turned_late"])
def test_the_right_cache_writes_what_generation_writes(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes, how: Misuse
) -> None:
    steps = generate(story_model, prompt, max_new_tokens=6, use_cache=False)
    assert outcomes[how].token_ids == tuple(step.token_id for step in steps)
    assert outcomes[how].difference < SAME


@pytest.mark.parametrize("how", ["old_query", "no_keys", "no_values", "swapped", "unturned"])
def test_every_misuse_breaks_the_text(outcomes: Outcomes, how: Misuse) -> None:
    assert outcomes[how].token_ids != outcomes["right"].token_ids
    assert outcomes[how].difference > 1


def test_the_naive_token_of_each_word_is_what_a_naive_pass_over_the_same_tokens_chooses(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes
) -> None:
    for outcome in outcomes.values():
        text = list(prompt)
        for word in outcome.words:
            logits = story_model(torch.tensor([text]))[0, -1]
            assert word.naive_token == int(logits.argmax())
            assert word.naive_probability == pytest.approx(float(logits.softmax(-1).max()), abs=1e-5)
            text.append(word.token_id)


def test_the_first_pass_looks_as_the_walk_recorded_it(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes
) -> None:
    step = Walk(story_model, prompt, history=len(prompt) - 1).record(1).steps[0]
    look = outcomes["right"].look
    for ours, theirs in ((look.q, step.q), (look.weights, step.weights), (look.output, step.output)):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_old_query_is_that_of_the_token_before(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes
) -> None:
    passed = trace(story_model, torch.tensor([prompt[:-1]]))
    for layer, q in enumerate(outcomes["old_query"].look.q):
        np.testing.assert_allclose(q, passed[f"layers.{layer}.attn.q_rot"][0, :, -1], atol=1e-5)


def test_what_is_lost_swapped_or_unturned_is_just_that(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes
) -> None:
    n = len(prompt) - 1
    right = outcomes["right"].look
    early = (slice(None), slice(None), slice(0, n))
    assert (outcomes["no_keys"].look.weights[..., n] == 1).all()
    assert not outcomes["no_values"].look.v[early].any()
    np.testing.assert_array_equal(outcomes["no_values"].look.k[early], right.k[early])
    np.testing.assert_array_equal(outcomes["swapped"].look.k[early], right.v[early])
    np.testing.assert_array_equal(outcomes["swapped"].look.v[early], right.k[early])
    unturned = torch.from_numpy(outcomes["unturned"].look.k[early].copy())
    turned = _rotate(unturned, story_model.cos[:n], story_model.sin[:n])
    np.testing.assert_allclose(turned.numpy(), right.k[early], atol=1e-5)
    np.testing.assert_array_equal(outcomes["turned_late"].look.k[early], turned.numpy())


def test_the_costs_are_those_of_what_was_done(story_model: Transformer, outcomes: Outcomes) -> None:
    config = story_model.config
    floats = config.kv_floats_per_token
    kept = {how: outcome.kept for how, outcome in outcomes.items()}
    assert kept["right"] == floats
    assert kept["no_keys"] == kept["no_values"] == floats // 2
    rows = len(outcomes["right"].prompt_ids) - 1 + 5  # in the cache at the last word
    assert outcomes["turned_late"].turned == rows * floats // 2
    assert outcomes["unturned"].turned == 0
    assert query_multiplications(config) == config.n_layers * config.d_model**2


def test_what_cannot_be_run_is_refused(story_model: Transformer, prompt: list[int]) -> None:
    with pytest.raises(PromptError, match="longer"):
        misuse(story_model, prompt[:1], "right", words=2)
    with pytest.raises(ContextLengthError, match="512 positions"):
        misuse(story_model, prompt, "right", words=500)
    with pytest.raises(ValueError, match="at least one"):
        misuse(story_model, prompt, "right", words=0)


def test_side_by_side_they_come_to_what_each_comes_to_alone(
    story_model: Transformer, prompt: list[int], outcomes: Outcomes
) -> None:
    together = misuses(story_model, prompt, MISUSES, words=6)
    assert tuple(together) == MISUSES
    for how, alone in outcomes.items():
        found = together[how]
        assert found.token_ids == alone.token_ids
        assert found.difference == pytest.approx(alone.difference, abs=SAME)
        for name in ("q", "k", "v", "weights", "output"):
            ours, theirs = getattr(found.look, name), getattr(alone.look, name)
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
