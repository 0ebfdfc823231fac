"""The loss under a policy: in one masked pass as step by step, and told apart at the first eviction."""

import numpy as np
import pytest
import torch
from torch import Tensor

from kvengine import Transformer, forgetting
from kvengine.forgetting import first_row, losses, mask_of, masked_losses
from kvengine.hardware import place
from kvengine.policies import AtRandom, HeavyHitters, LastLook, Policy, Sinks, Window

TOKENS = 48


@pytest.fixture
def model(story_model: Transformer) -> Transformer:
    return story_model


@pytest.fixture
def precise(story_model: Transformer) -> Transformer:
    return place(story_model, device="cpu", dtype="float64")


def ids(model: Transformer, tokens: int = TOKENS) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(4, model.config.vocab_size, (1, tokens), generator=generator)


@pytest.mark.parametrize("policy", [Policy(), Window(8), Sinks(8), Sinks(None)])
def test_one_masked_pass_has_the_losses_of_the_steps(precise: Transformer, policy: Policy) -> None:
    token_ids = ids(precise)
    found = losses(precise, token_ids, policy)
    masked = masked_losses(precise, token_ids[0].tolist(), policy)
    assert np.abs(found.nats[0] - masked).max() < 1e-5


def test_losses_are_told_apart_at_the_first_eviction(model: Transformer) -> None:
    token_ids = ids(model).repeat(2, 1)
    full, thin = (losses(model, token_ids, policy) for policy in (Policy(), Window(12)))
    assert full.first_eviction == TOKENS - 1
    assert thin.first_eviction == 12
    # The token behind the eviction is the first that can read less: until then both are the same.
    assert np.abs(full.nats[:, :12] - thin.nats[:, :12]).max() < 1e-5
    assert np.isnan(full.mean(full.first_eviction))
    assert thin.rows.max() == 12
    assert thin.bits[-1] == 12 * model.config.kv_floats_per_token * 32


def test_a_policy_that_looks_at_attention_is_no_mask(story_model: Transformer) -> None:
    for policy in (HeavyHitters(8), Sinks(8, by_place=True)):
        with pytest.raises(ValueError, match="no mask"):
            mask_of(policy, 10)


def test_the_first_rows_share_is_between_nothing_and_all(story_model: Transformer) -> None:
    look = first_row(story_model, ids(story_model)[0].tolist())
    assert 0 < look.weight < 1
    assert 0 < look.taken < 1
    assert look.length > 0


@pytest.mark.parametrize("policy", [Policy(), HeavyHitters(12), LastLook(12), AtRandom(12), Sinks(None)])
def test_what_runs_together_at_the_beginning_has_the_losses_of_single_steps(
    precise: Transformer, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_ids = ids(precise).repeat(2, 1)
    found = losses(precise, token_ids, policy)
    monkeypatch.setattr(forgetting, "together", lambda policy, tokens: 1)
    steps = losses(precise, token_ids, policy)
    assert np.abs(found.nats - steps.nats).max() < 1e-5
    assert np.array_equal(found.rows, steps.rows)
    assert found.bits[-1] == steps.bits[-1]
