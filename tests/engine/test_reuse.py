"""A request served from a prefix cache equals the full one; and rows part where texts do, layer by layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kvengine import ContextLengthError, PromptError, Transformer, load_model, sampler
from kvengine.cost import cache_bytes, pass_cost
from kvengine.prefix import prefix_cache
from kvengine.reuse import Close, Computed, closest, first_token, parted, prove, serve
from tests.engine.reference import random_text, written

NAME = "stories-1m-h8-kv4"


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model(NAME)


@pytest.mark.parametrize("block", [1, 16, 64])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_request_with_a_known_beginning_equals_one_without(
    model: Transformer, block: int, temperature: float
) -> None:
    prefixes = prefix_cache(model.config, block_size=block, budget=cache_bytes(model.config, 1024))
    first, other = random_text(model, 90), random_text(model, 90, seed=1)
    second = [*first[:75], *other[:20]]
    draw = sampler(temperature, seed=3)
    before, _ = serve(model, first, prefixes, new_tokens=6, sampler=draw)
    assert (before.reused, before.computed) == (0, 90)
    after, computed = serve(model, second, prefixes, new_tokens=6, sampler=draw)
    assert after.reused == 75 // block * block
    assert list(after.answer_ids) == written(model, second, 6, temperature)[: len(after.answer_ids)]
    full = pass_cost(model.config, q_len=95).multiplications
    ours = pass_cost(model.config, q_len=95 - after.reused, start=after.reused).multiplications
    assert after.multiplications == (ours, full)
    # The store has taken in more meanwhile: the proof is of what was computed then.
    serve(model, other, prefixes, new_tokens=6, sampler=draw)
    proof = prove(model, after, computed, sampler=draw)
    assert max(proof.differences.values()) < 1e-3
    assert proof.same_answer
    assert proof.plain_ids == after.answer_ids


def test_a_proof_finds_what_was_not_the_same(model: Transformer) -> None:
    prefixes = prefix_cache(model.config, block_size=16, budget=10**7)
    served, computed = serve(model, random_text(model, 40), prefixes, new_tokens=4)
    with torch.inference_mode():
        computed.prefill.cache.v[2, 0, 1, 30, 5] += 0.25
    found = prove(model, replace(served, answer_ids=(1, *served.answer_ids[1:])), computed)
    assert not found.same_answer
    assert found.differences["V"] == pytest.approx(0.25, rel=1e-3)
    assert found.differences["K"] < 1e-3
    assert found.numbers == 40 * model.config.kv_floats_per_token + model.config.vocab_size


def test_the_answer_is_kept_too_but_for_its_last_token(model: Transformer) -> None:
    prefixes = prefix_cache(model.config, block_size=1, budget=cache_bytes(model.config, 1024))
    first = random_text(model, 20)
    before, _ = serve(model, first, prefixes, new_tokens=5)
    again, _ = serve(model, [*first, *before.answer_ids, 7, 8], prefixes, new_tokens=1)
    assert again.reused == 20 + len(before.answer_ids) - 1


def test_the_closest_place_is_where_two_answers_part_or_else_where_the_lead_was_smallest(
    model: Transformer,
) -> None:
    prefixes = prefix_cache(model.config, block_size=16, budget=10**7)
    _, computed = serve(model, random_text(model, 5), prefixes, new_tokens=3)

    def run(*logits: list[float]) -> Computed:
        return Computed(computed.prefill, tuple(torch.tensor(one) for one in logits))

    one = run([3.0, 1.0, 0.0], [2.0, 2.5, 1.0], [0.0, 1.0, 5.0])
    assert closest(one, one) == Close((1, 0), (0.5, 0.5), 0.0)
    other = run([3.0, 1.0, 0.25], [2.0, 1.75, 1.0], [9.0, 0.0, 0.0])
    assert closest(one, other) == Close((1, 0), (0.5, -0.25), 0.75)


@pytest.mark.parametrize("reused", [0, 16])
def test_the_clock_takes_both_ways_in_turn(model: Transformer, reused: int) -> None:
    ticks = iter([0.0, 5.0, 0.0, 9.0, 0.0, 3.0, 0.0, 11.0])  # with, without, with, without
    found = first_token(
        model, random_text(model, 20), reused=reused, block=16, runs=2, clock=lambda: next(ticks)
    )
    assert list(found) == [(5, 9), (3, 11)]


def test_what_no_model_can_run_is_refused(model: Transformer) -> None:
    prefixes = prefix_cache(model.config, block_size=16, budget=10**6)
    with pytest.raises(PromptError):
        serve(model, [], prefixes, new_tokens=1)
    with pytest.raises(ContextLengthError):
        serve(model, random_text(model, model.config.max_seq_len), prefixes, new_tokens=3)


def test_behind_a_changed_token_every_layer_but_the_first_differs(model: Transformer) -> None:
    was = random_text(model, 30)
    now = [*was[:12], (was[12] + 1) % model.config.vocab_size, *was[13:]]
    found = parted(model, was, now, range(30))
    for same in (found.k_same, found.v_same):
        assert same[:, :12].all()
        assert not same[:, 12].any()
        assert same[0, 13:].all(), "in the first layer a row knows nothing of the others"
        assert not same[1:, 13:].any()


def test_a_text_moved_to_another_position_keeps_its_values_in_the_first_layer_alone(
    model: Transformer,
) -> None:
    was, document = random_text(model, 40), random_text(model, 40)[15:]
    found = parted(model, was, document, range(15, 40))
    assert found.v_same[0].all()
    assert not found.v_same[1:].any()
    assert not found.k_same.any()


def test_a_row_without_a_counterpart_is_not_compared(model: Transformer) -> None:
    was = random_text(model, 10)
    found = parted(model, was, [*was, 5], [*range(10), -1])
    assert found.compared.tolist() == [True] * 10 + [False]
    assert found.k_same[:, :10].all()
    assert not found.k_same[:, 10].any()
    assert not np.any(found.k_largest[:, 10])
