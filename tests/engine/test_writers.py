"""Two writers of one text: what each pass computed and read, and what came out as in the pass before."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

import kvengine.writers
from kvengine import (
    ContextLengthError,
    KVCache,
    PromptError,
    Transformer,
    generate,
    load_model,
    sampler,
    trace,
)
from kvengine.compare import TOLERANCE
from kvengine.cost import cache_bytes, pass_cost
from kvengine.writers import Writing, measure, write

PROMPT = [0, 420, 300, 77, 512, 9]
WORDS = 6


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model("stories-1m-h8-kv4")


@pytest.fixture(scope="module")
def writing(model: Transformer) -> Writing:
    return write(model, PROMPT, words=WORDS)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_each_writer_writes_what_generation_gives(model: Transformer, temperature: float) -> None:
    draw = sampler(temperature, seed=3)
    written = write(model, PROMPT, words=WORDS, sampler=draw)
    for ids, use_cache in ((written.naive_ids, False), (written.cached_ids, True)):
        steps = generate(model, PROMPT, max_new_tokens=WORDS, use_cache=use_cache, sampler=draw)
        assert ids == (*PROMPT, *(step.token_id for step in steps))
    assert written.same_text


def test_one_computes_all_rows_and_the_other_the_new_one(model: Transformer, writing: Writing) -> None:
    n = len(PROMPT)
    for i, word in enumerate(writing.words):
        assert (word.naive.computed, word.naive.read) == (n + i, 0)
        assert (word.cached.computed, word.cached.read) == ((n, 0) if i == 0 else (1, n + i - 1))
        assert word.naive.multiplications == pass_cost(model.config, q_len=n + i).multiplications
        assert word.naive.kept == 0
        assert word.cached.kept == cache_bytes(model.config, n + i)
    last = writing.words[-1].cached
    assert last.multiplications == pass_cost(model.config, q_len=1, start=n + WORDS - 2).multiplications


def test_rows_computed_again_are_held_against_the_pass_before(model: Transformer, writing: Writing) -> None:
    """The same comparison from two traces: keys, values and the residual stream of all layers."""
    c, n = model.config, len(PROMPT)
    assert len(writing.words[0].equal) == 0
    ids = writing.naive_ids
    before, after = (trace(model, torch.tensor([ids[: n + i]])) for i in (1, 2))
    names = [
        f"layers.{i}.{x}"
        for i in range(c.n_layers)
        for x in ("attn.k_all", "attn.v_all", "resid_mid", "resid_post")
    ]
    word = writing.words[2]
    for row in range(n + 1):
        pairs = [(before[name][0][..., row, :], after[name][0][..., row, :]) for name in ("embed", *names)]
        assert word.numbers == sum(was.size for was, _ in pairs)
        assert word.largest[row] == max(float(np.abs(now - was).max()) for was, now in pairs)
        assert word.equal[row] == all(
            (np.abs(now - was) <= TOLERANCE * (1 + np.abs(was).max())).all() for was, now in pairs
        )
    assert all(word.equal.all() for word in writing.words)


def test_a_row_that_comes_out_differently_is_said_to(
    model: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One number of one row in one pass is off: that row differs, and none beside it."""
    run, calls = Transformer.__call__, itertools.count()

    def spoilt(self, ids, cache=None, tap=None, **more):  # type: ignore[no-untyped-def]
        if cache is None and next(calls) == 3:

            def spoil(name: str, tensor: Tensor) -> Tensor:
                if name == f"layers.{self.config.n_layers - 1}.resid_post":
                    tensor = tensor.clone()
                    tensor[0, 2, 5] += 0.5
                return tap(name, tensor)

            return run(self, ids, cache, spoil, **more)
        return run(self, ids, cache, tap, **more)

    monkeypatch.setattr(Transformer, "__call__", spoilt)
    found = write(model, PROMPT, words=4).words[3]
    assert found.equal.tolist() == [row != 2 for row in range(len(PROMPT) + 2)]
    assert found.largest[2] == pytest.approx(0.5, abs=1e-4)


def test_the_rows_read_are_those_that_stood_in_the_cache(model: Transformer) -> None:
    """Counted in the pass itself: with a cache that has forgotten a row, one row less is read."""
    cache = KVCache(model.config)
    model(torch.tensor([PROMPT]), cache)
    cache.crop(4)
    done, _, _ = kvengine.writers._run(model, [9], cache, lambda logits, position: position)
    assert (done.computed, done.read, done.token_id) == (1, 4, 5)


def test_times_are_the_fastest_of_all_runs(model: Transformer, writing: Writing) -> None:
    """A clock by which each pass is a little slower than the one before it, in all runs."""
    slower = itertools.accumulate(i // 2 if i % 2 else 1000 for i in itertools.count())
    times = measure(model, writing, runs=3, clock=lambda: float(next(slower)))
    # The first pass of each turn is not timed, nor are the cached writer's first four.
    assert times.naive == tuple(float(1 + i) for i in range(WORDS))
    assert times.cached == tuple(float(1 + WORDS + 4 + i) for i in range(WORDS))
    assert times.runs == 3


def test_what_cannot_be_written_is_refused(model: Transformer) -> None:
    with pytest.raises(PromptError):
        write(model, [], words=1)
    with pytest.raises(ContextLengthError, match="shorten"):
        write(model, PROMPT, words=model.config.max_seq_len)
