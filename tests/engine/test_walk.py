"""A walk: recorded steps, each proved against a pass without the cache."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kvengine import (
    ContextLengthError,
    KVCache,
    PromptError,
    Proof,
    Recording,
    Transformer,
    Walk,
    generate,
    greedy,
    load_model,
    sampler,
    trace,
)
from kvengine.proof import COMPARED, prove

PROMPT = [0, 420, 300, 77, 512, 9]


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv4")


def test_steps_run_the_tokens_that_generation_gives(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=len(PROMPT) - 1).record(6)
    generated = [step.token_id for step in generate(model, PROMPT, max_new_tokens=6, use_cache=True)]
    assert [step.next_token for step in walk.steps] == generated
    assert [step.position for step in walk.steps] == list(range(5, 11))


def test_a_short_prompt_is_continued_and_a_long_one_cut(model: Transformer) -> None:
    assert Walk(model, PROMPT, history=3).record(0).token_ids == tuple(PROMPT[:4])
    longer = Walk(model, PROMPT, history=9).record(0).token_ids
    assert longer[: len(PROMPT)] == tuple(PROMPT)
    assert len(longer) == 10


def test_every_step_proves_equal_with_a_small_difference_in_each_quantity(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=4).record(5)
    for step in walk.steps:
        assert step.proof.equal
        assert step.proof.same_token
        assert set(step.proof.differences) == set(COMPARED)
        assert step.proof.changed == 0
        assert step.proof.earlier == step.position * model.config.kv_floats_per_token


def test_the_proof_fails_when_the_cache_is_wrong(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5)
    walk._cache.v[1, 0, 2, 3] += 0.5
    (step,) = walk.record(1).steps
    assert not step.proof.equal
    assert step.proof.differences["V"] == pytest.approx(0.5, abs=1e-4)


def test_steps_recorded_together_are_those_recorded_one_by_one(model: Transformer) -> None:
    alone, together = (Walk(model, PROMPT, history=5) for _ in range(2))
    for done in range(1, 7):
        alone.extend(done)
    for one, other in zip(alone.record(0).steps, together.record(6).steps, strict=True):
        assert (one.token_id, one.next_token) == (other.token_id, other.next_token)
        np.testing.assert_array_equal(one.weights, other.weights)
        assert (one.proof.numbers, one.proof.earlier) == (other.proof.numbers, other.proof.earlier)
        for quantity, difference in one.proof.differences.items():
            assert other.proof.differences[quantity] == pytest.approx(difference, abs=1e-4)


def test_of_steps_proved_together_each_answers_for_its_own_rows(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5)
    with torch.inference_mode():
        decoded = [walk._decode() for _ in range(3)]
        decoded[1].tensors["layers.2.attn.z"][0, 4, 0, 1] += 0.5
    proofs = prove(model, walk._token_ids, decoded, greedy)
    assert [proof.equal for proof in proofs] == [True, False, True]
    assert proofs[1].differences["output"] == pytest.approx(0.5, abs=1e-4)


def test_no_step_is_proved_by_a_pass_whose_rows_see_later_ones(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(model, PROMPT, history=5)
    with torch.inference_mode():
        decoded = [walk._decode() for _ in range(3)]
    monkeypatch.setattr(
        "kvengine.model._hidden",
        lambda start, end, window, device: torch.zeros(end - start, end, dtype=torch.bool),
    )
    assert not any(proof.equal for proof in prove(model, walk._token_ids, decoded, greedy))


def test_a_proof_notices_an_earlier_row_that_the_step_has_changed(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = KVCache.update

    def clumsy(cache: KVCache, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        cache.k[layer, :, :, 1] += 1e-3
        return update(cache, layer, k, v)

    walk = Walk(model, PROMPT, history=5)
    monkeypatch.setattr(KVCache, "update", clumsy)
    (step,) = walk.record(1).steps
    config = model.config
    assert step.proof.changed == config.n_layers * config.n_kv_heads * config.head_dim
    assert not step.proof.equal


def test_rows_of_the_cache_are_those_of_the_naive_pass(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5).record(3)
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
        whole = Walk(model, PROMPT, history=5, sampler=draw).record(12)
        part = Walk(model, PROMPT, history=11, sampler=draw).record(6)
        assert part.token_ids == whole.token_ids


def test_every_token_that_the_model_wrote_has_its_probability(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=8).record(3)
    assert set(walk.chances) == set(range(len(PROMPT), len(walk.token_ids)))
    probabilities = model(torch.tensor([walk.token_ids]))[0].softmax(dim=-1)
    for position, chance in walk.chances.items():
        expected = float(probabilities[position - 1, walk.token_ids[position]])
        assert chance == pytest.approx(expected, abs=1e-5)


def test_the_walk_stops_at_the_models_last_position(model: Transformer) -> None:
    last = model.config.max_seq_len - 1
    walk = Walk(model, PROMPT, history=last - 1).record(9)
    assert [step.position for step in walk.steps] == [last - 1, last]
    with pytest.raises(ContextLengthError, match="choose 1 to 511"):
        Walk(model, PROMPT, history=last + 1)
    with pytest.raises(ContextLengthError):
        Walk(model, PROMPT, history=0)
    with pytest.raises(PromptError):
        Walk(model, [], history=1)


def test_a_walk_that_may_have_few_steps_keeps_little(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5, most_steps=4)
    small = walk.nbytes
    assert [step.position for step in walk.record(99).steps] == [5, 6, 7, 8]
    assert small < walk.nbytes < 400_000 < Walk(model, PROMPT, history=5).nbytes


def test_what_a_step_keeps_is_what_its_pass_computed(model: Transformer) -> None:
    walk = Walk(model, PROMPT, history=5).record(2)
    cache = KVCache(model.config)
    model(torch.tensor([walk.token_ids[:5]]), cache)
    for step in walk.steps:
        passed = trace(model, torch.tensor([[step.token_id]]), cache)
        for layer in range(model.config.n_layers):
            name = f"layers.{layer}.attn."
            for kept, tensor in ((step.q, "q_rot"), (step.scores, "scores"), (step.weights, "weights")):
                np.testing.assert_allclose(kept[layer], passed[name + tensor][0, :, 0], atol=1e-5)
            np.testing.assert_allclose(step.output[layer], passed[name + "z"][0, :, 0], atol=1e-5)
        logits = torch.from_numpy(passed["logits"][0, -1])
        assert step.top[0][0] == int(logits.argmax()) == step.next_token
        assert [p for _, p in step.top] == sorted((p for _, p in step.top), reverse=True)


def test_a_recording_until_some_row_is_the_one_that_was_not_recorded_further(model: Transformer) -> None:
    shorter = Walk(model, PROMPT, history=5).record(2)
    cut = Walk(model, PROMPT, history=5).record(6).until(shorter.rows)
    assert (cut.rows, cut.token_ids, len(cut.steps)) == (shorter.rows, shorter.token_ids, len(shorter.steps))
    for name in ("k", "v", "attn_norm"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(shorter, name))
    assert cut.until(99).rows == cut.rows


def test_a_snapshot_stays_as_it_is_while_others_go_on(model: Transformer) -> None:
    """Readers in several threads, each with its own snapshot, while the walk grows under them."""
    walk = Walk(model, PROMPT, history=5, most_steps=40)
    together = threading.Barrier(4)

    def read(reader: int) -> None:
        together.wait(60)
        for wanted in range(1 + reader, 24, 2):
            taken = walk.record(wanted)
            check(taken)
            k = taken.k.copy()
            walk.record(wanted + 1)
            check(taken)
            np.testing.assert_array_equal(taken.k, k)

    def check(taken: Recording) -> None:
        assert len(taken.token_ids) == taken.rows + 1
        assert taken.k.shape[2] == taken.v.shape[2] == taken.attn_norm.shape[1] == taken.rows
        for step in taken.steps:
            assert taken.token_ids[step.position] == step.token_id
            assert taken.token_ids[step.position + 1] == step.next_token
            assert step.weights.shape[-1] == step.position + 1

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(read, reader) for reader in range(4)]:
            done.result()
    with pytest.raises(ValueError, match="read-only"):
        walk.record(0).k[0, 0, 0, 0] = 1


def test_what_is_recorded_can_be_read_while_another_thread_is_in_the_middle_of_a_step(
    model: Transformer,
) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def held(logits: Tensor, position: int) -> int:
        if position == 8:  # what the step at 7 writes
            inside.set()
            assert go_on.wait(60)
        return greedy(logits, position)

    walk = Walk(model, PROMPT, history=5, sampler=held)
    walk.extend(2)
    with ThreadPoolExecutor(2) as threads:
        recording = threads.submit(walk.extend, 4)
        assert inside.wait(60)
        taken = threads.submit(walk.record, 2)
        try:
            assert (taken.result(60).rows, taken.result().steps[-1].position) == (7, 6)
        finally:
            go_on.set()
        assert recording.result(60) == 4
    assert [bool(step.proof) for step in walk.record(0).steps] == [True] * 4


# ---- proved behind the steps -----------------------------------------------------------------------------


def test_a_step_that_is_proved_later_has_no_proof_until_then_and_the_same_one_afterwards(
    model: Transformer,
) -> None:
    at_once = Walk(model, PROMPT, history=5).record(3)
    walk = Walk(model, PROMPT, history=5, prove_now=False)
    before = walk.record(3)
    assert [step.proof for step in before.steps] == [None] * 3
    assert not walk.proved
    walk.prove()
    assert walk.proved
    assert [step.proof for step in walk.record(0).steps] == [step.proof for step in at_once.steps]
    assert [step.proof for step in before.steps] == [None] * 3, "a snapshot stays what it was"


def test_steps_recorded_while_others_are_proved_are_proved_by_the_next_pass(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(model, PROMPT, history=5, prove_now=False)
    walk.extend(2)

    def meanwhile(*given: Any) -> list[Proof]:
        monkeypatch.undo()
        walk.extend(4)
        return prove(*given)

    monkeypatch.setattr("kvengine.walk.prove", meanwhile)
    walk.prove()
    assert [step.proof is not None for step in walk.record(0).steps] == [True, True, False, False]
    walk.prove()
    assert all(step.proof and step.proof.equal for step in walk.record(0).steps)


def test_a_later_proof_fails_when_the_cache_was_wrong_or_a_row_was_changed_since(model: Transformer) -> None:
    wrong = Walk(model, PROMPT, history=5, prove_now=False)
    wrong._cache.v[1, 0, 2, 3] += 0.5
    wrong.extend(1)
    changed = Walk(model, PROMPT, history=5, prove_now=False)
    changed.extend(1)
    changed._cache.k[0, 0, 1, 2, 3] += 0.5
    for walk in (wrong, changed):
        walk.prove()
        (step,) = walk.record(0).steps
        assert step.proof
        assert not step.proof.equal


def test_what_waits_for_its_proof_counts_as_memory_until_it_is_proved(model: Transformer) -> None:
    waiting, proved = (Walk(model, PROMPT, history=5, prove_now=now) for now in (False, True))
    for walk in (waiting, proved):
        walk.extend(4)
    assert waiting.nbytes > proved.nbytes
    waiting.prove()
    assert waiting.nbytes == proved.nbytes
