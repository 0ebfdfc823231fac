"""A walk: recorded steps, each proved against a pass without the cache."""

import numpy as np
import pytest
import torch

from kvengine import ContextLengthError, PromptError, Transformer, Walk, generate, load_model, sampler
from kvengine.walk import COMPARED

PROMPT = [0, 420, 300, 77, 512, 9]


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv4")


def test_steps_run_the_tokens_that_generation_gives(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=len(PROMPT) - 1)
    walk.extend(6)
    generated = [step.token_id for step in generate(model, PROMPT, max_new_tokens=6, use_cache=True)]
    assert [step.next_token for step in walk.steps] == generated
    assert [step.position for step in walk.steps] == list(range(5, 11))


def test_a_short_prompt_is_continued_and_a_long_one_cut(model: Transformer) -> None:
    assert Walk(model, PROMPT, history=3).token_ids == PROMPT[:4]
    longer = Walk(model, PROMPT, history=9).token_ids
    assert longer[: len(PROMPT)] == PROMPT
    assert len(longer) == 10


def test_every_step_proves_equal_with_a_small_difference_in_each_quantity(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=4)
    walk.extend(5)
    for step in walk.steps:
        assert step.proof.equal
        assert step.proof.same_token
        assert set(step.proof.differences) == set(COMPARED)
        assert step.proof.changed == 0
        assert step.proof.earlier == step.position * model.config.kv_floats_per_token


def test_the_proof_fails_when_the_cache_is_wrong(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5)
    walk._cache.v[1, 0, 2, 3] += 0.5
    walk.extend(1)
    assert not walk.steps[0].proof.equal
    assert walk.steps[0].proof.differences["V"] == pytest.approx(0.5, abs=1e-4)


def test_rows_of_the_cache_are_those_of_the_naive_pass(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5)
    walk.extend(3)
    seen: dict[str, torch.Tensor] = {}

    def note(name: str, tensor: torch.Tensor) -> torch.Tensor:
        seen[name] = tensor
        return tensor

    model(torch.tensor([walk.token_ids[:8]]), None, note)
    for layer in range(model.config.n_layers):
        np.testing.assert_allclose(walk.k[layer], seen[f"layers.{layer}.attn.k_all"][0], atol=1e-4)
        np.testing.assert_allclose(walk.v[layer], seen[f"layers.{layer}.attn.v_all"][0], atol=1e-4)
        norm = seen[f"layers.{layer}.attn_norm"][0]
        np.testing.assert_allclose(walk.attn_norm[layer, :8], norm, atol=1e-4)


def test_a_later_part_of_a_walk_goes_on_as_the_walk_does(model: Transformer) -> None:
    for draw in (sampler(0.0), sampler(1.0, seed=3)):
        whole = Walk(model, PROMPT, history=5, sampler=draw)
        whole.extend(12)
        part = Walk(model, PROMPT, history=11, sampler=draw)
        part.extend(6)
        assert part.token_ids == whole.token_ids


def test_every_token_that_the_model_wrote_has_its_probability(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=8)
    walk.extend(3)
    assert set(walk.chances) == set(range(len(PROMPT), len(walk.token_ids)))
    probabilities = model(torch.tensor([walk.token_ids]))[0].softmax(dim=-1)
    for position, chance in walk.chances.items():
        expected = float(probabilities[position - 1, walk.token_ids[position]])
        assert chance == pytest.approx(expected, abs=1e-5)


def test_the_walk_stops_at_the_models_last_position(model: Transformer) -> None:
    last = model.config.max_seq_len - 1
    walk = Walk(model, PROMPT, history=last - 1)
    walk.extend(9)
    assert [step.position for step in walk.steps] == [last - 1, last]
    with pytest.raises(ContextLengthError, match="choose 1 to 511"):
        Walk(model, PROMPT, history=last + 1)
    with pytest.raises(ContextLengthError):
        Walk(model, PROMPT, history=0)
    with pytest.raises(PromptError):
        Walk(model, [], history=1)
