"""A request served from a prefix cache equals the full one; and rows part where texts do, layer by layer."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from kvengine import ContextLengthError, PromptError, Transformer, generate, load_model, sampler
from kvengine.cost import cache_bytes, pass_cost
from kvengine.prefix import prefix_cache
from kvengine.reuse import ask_behind, parted, serve
from tests.engine.reference import random_ids

NAME = "stories-1m-h8-kv4"


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model(NAME)


def text(model: Transformer, n: int, seed: int = 0) -> list[int]:
    ids: list[int] = random_ids(model.config.vocab_size, n, seed=seed)[0].tolist()
    return ids


def written(model: Transformer, prompt: Sequence[int], n: int, temperature: float = 0.0) -> list[int]:
    steps = generate(model, prompt, max_new_tokens=n, use_cache=False, sampler=sampler(temperature, seed=3))
    return list(itertools.islice((step.token_id for step in steps), n))


@pytest.mark.parametrize("block", [1, 16, 64])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_request_with_a_known_beginning_equals_one_without(
    model: Transformer, block: int, temperature: float
) -> None:
    prefixes = prefix_cache(model.config, block_size=block, budget=cache_bytes(model.config, 1024))
    first, other = text(model, 90), text(model, 90, seed=1)
    second = [*first[:75], *other[:20]]
    draw = sampler(temperature, seed=3)
    before = serve(model, first, prefixes, new_tokens=6, sampler=draw, runs=1)
    assert (before.reused, before.computed) == (0, 90)
    after = serve(model, second, prefixes, new_tokens=6, sampler=draw, runs=1)
    assert after.reused == 75 // block * block
    assert max(after.differences.values()) < 1e-3
    assert after.same_answer
    assert list(after.answer_ids) == written(model, second, 6, temperature)[: len(after.answer_ids)]
    full = pass_cost(model.config, q_len=95).multiplications
    ours = pass_cost(model.config, q_len=95 - after.reused, start=after.reused).multiplications
    assert after.multiplications == (ours, full)


def test_the_answer_is_kept_too_but_for_its_last_token(model: Transformer) -> None:
    prefixes = prefix_cache(model.config, block_size=1, budget=cache_bytes(model.config, 1024))
    first = text(model, 20)
    before = serve(model, first, prefixes, new_tokens=5, runs=1)
    again = serve(model, [*first, *before.answer_ids, 7, 8], prefixes, new_tokens=1, runs=1)
    assert again.reused == 20 + len(before.answer_ids) - 1


def test_the_clock_takes_both_ways_in_turn_and_the_fastest_counts(model: Transformer) -> None:
    ticks = iter([0.0, 5.0, 0.0, 9.0, 0.0, 3.0, 0.0, 11.0])  # with, without, with, without
    prefixes = prefix_cache(model.config, block_size=16, budget=10**6)
    found = serve(model, text(model, 20), prefixes, new_tokens=1, runs=2, clock=lambda: next(ticks))
    assert found.seconds == (3, 9)
    assert prefixes.stats.requests == 1, "measuring is no request"


def test_what_no_model_can_run_is_refused(model: Transformer) -> None:
    prefixes = prefix_cache(model.config, block_size=16, budget=10**6)
    with pytest.raises(PromptError):
        serve(model, [], prefixes, new_tokens=1, runs=1)
    with pytest.raises(ContextLengthError):
        serve(model, text(model, model.config.max_seq_len), prefixes, new_tokens=3, runs=1)


def test_behind_a_changed_token_every_layer_but_the_first_differs(model: Transformer) -> None:
    was = text(model, 30)
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
    was, document = text(model, 40), text(model, 40)[15:]
    found = parted(model, was, document, range(15, 40))
    assert found.v_same[0].all()
    assert not found.v_same[1:].any()
    assert not found.k_same.any()


def test_a_row_without_a_counterpart_is_not_compared(model: Transformer) -> None:
    was = text(model, 10)
    found = parted(model, was, [*was, 5], [*range(10), -1])
    assert found.compared.tolist() == [True] * 10 + [False]
    assert found.k_same[:, :10].all()
    assert not found.k_same[:, 10].any()
    assert not np.any(found.k_largest[:, 10])


def test_questions_behind_a_kept_document_are_answered_as_behind_one_computed_again(
    model: Transformer,
) -> None:
    document = text(model, 60)
    questions = [text(model, n, seed=n) for n in (3, 1, 8)]
    found = ask_behind(model, document, questions, new_tokens=4, runs=1)
    assert found.nbytes == cache_bytes(model.config, 60)
    for asked, question in zip(found.questions, questions, strict=True):
        assert list(asked.answer_ids) == written(model, [*document, *question], 4)[: len(asked.answer_ids)]
        assert asked.answer_ids == asked.plain_ids
        assert asked.difference < 1e-3
        assert asked.multiplications[0] < asked.multiplications[1] / 5


def test_a_document_that_leaves_no_room_for_the_longest_answer_is_refused(model: Transformer) -> None:
    document = text(model, model.config.max_seq_len - 5)
    with pytest.raises(ContextLengthError):
        ask_behind(model, document, [text(model, 4)], new_tokens=4, runs=1)
