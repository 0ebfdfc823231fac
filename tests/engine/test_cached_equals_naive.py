"""With the cache or without it, however the text is cut: the same numbers."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from kvengine import ContextLengthError, KVCache, Transformer, available_models, load_model
from tests.engine.reference import GROUPINGS, TINY, largest_difference, random_ids, tiny_model

IN_FLOAT64 = 1e-10
#: Logits reach about 20, where neighbouring float32 numbers are 2e-6 apart; sums add up a few of these.
IN_FLOAT32 = 1e-4

SHIPPED = [card.name for card in available_models()]
MODEL = tiny_model()


def run_in_chunks(model: Transformer, token_ids: Tensor, cuts: list[int], cache: KVCache) -> Tensor:
    """Logits [batch, tokens, vocab_size] of `token_ids`, run chunk by chunk between `cuts`."""
    edges = [0, *cuts, token_ids.shape[1]]
    return torch.cat([model(token_ids[:, a:b], cache) for a, b in pairwise(edges)], dim=1)


def new_cache(model: Transformer, batch: int = 1) -> KVCache:
    return KVCache(model.config, batch=batch, dtype=model.dtype)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, IN_FLOAT64), (torch.float32, IN_FLOAT32)])
def test_decoding_with_the_cache_equals_the_naive_pass(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    model = load_model(name, dtype=dtype)
    token_ids = random_ids(model.config.vocab_size, 48)
    cached = run_in_chunks(model, token_ids, list(range(8, 48)), new_cache(model))
    assert largest_difference(cached, model(token_ids)) <= tolerance
    for end in (1, 9, 30):  # a naive pass over a shorter text is another kernel call with other sizes
        assert largest_difference(cached[:, :end], model(token_ids[:, :end])) <= tolerance


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), GROUPINGS)
def test_every_head_grouping_decodes_as_the_naive_pass(n_heads: int, n_kv_heads: int) -> None:
    model = tiny_model(n_heads=n_heads, n_kv_heads=n_kv_heads)
    token_ids = random_ids(model.config.vocab_size, 12)
    cached = run_in_chunks(model, token_ids, list(range(4, 12)), new_cache(model))
    assert largest_difference(cached, model(token_ids)) <= IN_FLOAT64


@st.composite
def texts_with_cuts(draw: st.DrawFn) -> tuple[Tensor, list[int]]:
    ids = draw(st.lists(st.integers(0, TINY.vocab_size - 1), min_size=1, max_size=TINY.max_seq_len))
    cuts = draw(st.sets(st.integers(1, len(ids) - 1))) if len(ids) > 1 else set()
    return torch.tensor([ids]), sorted(cuts)


@given(texts_with_cuts())
def test_any_split_of_a_prompt_gives_the_same_logits(text: tuple[Tensor, list[int]]) -> None:
    token_ids, cuts = text
    cached = run_in_chunks(MODEL, token_ids, cuts, new_cache(MODEL))
    assert largest_difference(cached, MODEL(token_ids)) <= IN_FLOAT64


@given(texts_with_cuts(), st.data())
def test_crop_and_replay_gives_the_same_logits(text: tuple[Tensor, list[int]], data: st.DataObject) -> None:
    token_ids, cuts = text
    cache = new_cache(MODEL)
    run_in_chunks(MODEL, random_ids(TINY.vocab_size, TINY.max_seq_len, seed=1), [], cache)
    cache.reset()  # what other text left in the memory must not be seen
    whole = run_in_chunks(MODEL, token_ids, cuts, cache)
    kept = data.draw(st.integers(0, token_ids.shape[1] - 1), label="rows kept")
    cache.crop(kept)
    MODEL(random_ids(TINY.vocab_size, 1, seed=2), cache)  # another continuation, taken back
    cache.crop(kept)
    assert largest_difference(MODEL(token_ids[:, kept:], cache), whole[:, kept:]) <= IN_FLOAT64


@given(texts_with_cuts())
def test_written_out_attention_equals_the_fused_kernel(text: tuple[Tensor, list[int]]) -> None:
    token_ids, cuts = text
    fused, written = new_cache(MODEL), new_cache(MODEL)
    edges = [0, *cuts, token_ids.shape[1]]
    for a, b in pairwise(edges):
        chunk = token_ids[:, a:b]
        assert largest_difference(MODEL(chunk, fused), MODEL(chunk, written, lambda _, x: x)) <= IN_FLOAT64
    assert largest_difference(fused.k, written.k) <= IN_FLOAT64
    assert largest_difference(fused.v, written.v) <= IN_FLOAT64


@pytest.mark.parametrize("name", SHIPPED)
def test_written_out_attention_equals_the_fused_kernel_in_shipped_models(name: str) -> None:
    model = load_model(name, dtype=torch.float64)
    token_ids = random_ids(model.config.vocab_size, 24)
    caches = [new_cache(model), new_cache(model)]
    for a, b in ((0, 16), (16, 17), (17, 24)):
        fused = model(token_ids[:, a:b], caches[0])
        written = model(token_ids[:, a:b], caches[1], lambda _, x: x)
        assert largest_difference(fused, written) <= IN_FLOAT64


@pytest.mark.parametrize("start", [0, 5])
def test_last_only_is_the_last_row(start: int) -> None:
    token_ids = random_ids(TINY.vocab_size, 11)
    caches = [new_cache(MODEL), new_cache(MODEL)]
    for cache in caches:
        if start:
            MODEL(token_ids[:, :start], cache)
    whole = MODEL(token_ids[:, start:], caches[0])
    last = MODEL(token_ids[:, start:], caches[1], last_only=True)
    assert last.shape == (1, 1, TINY.vocab_size)
    assert largest_difference(last, whole[:, -1:]) <= IN_FLOAT64


def test_texts_of_a_batch_do_not_touch_each_other() -> None:
    token_ids = random_ids(TINY.vocab_size, 12, batch=3)
    together = run_in_chunks(MODEL, token_ids, [6, 7, 9], new_cache(MODEL, batch=3))
    for i in range(3):
        assert largest_difference(together[i : i + 1], MODEL(token_ids[i : i + 1])) <= IN_FLOAT64


def test_later_tokens_change_nothing_before_them() -> None:
    token_ids = random_ids(TINY.vocab_size, 12)
    changed = token_ids.clone()
    changed[0, 7:] = (changed[0, 7:] + 1) % TINY.vocab_size
    was, now = MODEL(token_ids), MODEL(changed)
    assert largest_difference(was[:, :7], now[:, :7]) <= IN_FLOAT64
    assert largest_difference(was[:, 7:], now[:, 7:]) > 0.01


def test_a_pass_that_does_not_fit_leaves_the_cache_as_it_was() -> None:
    cache = KVCache(TINY, max_seq_len=8, dtype=MODEL.dtype)
    token_ids = random_ids(TINY.vocab_size, 9)
    MODEL(token_ids[:, :5], cache)
    before = cache.k.clone(), cache.v.clone()
    with pytest.raises(ContextLengthError):
        MODEL(token_ids[:, 5:], cache)
    assert cache.length == 5
    assert torch.equal(cache.k, before[0])
    assert torch.equal(cache.v, before[1])
    assert largest_difference(MODEL(token_ids[:, 5:8], cache), MODEL(token_ids[:, :8])[:, 5:]) <= IN_FLOAT64


def test_a_float32_model_caches_float32_and_a_float64_model_float64() -> None:
    for dtype in (torch.float32, torch.float64):
        model = tiny_model(dtype=dtype)
        assert model(random_ids(TINY.vocab_size, 3), new_cache(model)).dtype == dtype
