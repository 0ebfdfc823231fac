"""The memory itself: written once, read in place, never copied."""

import pytest
import torch
from torch import Tensor

from kvengine import KVCache, available_models
from kvengine.cost import cache_bytes
from tests.engine.reference import TINY


def rows(n: int, seed: int, *, batch: int = 1) -> Tensor:
    shape = (batch, TINY.n_kv_heads, n, TINY.head_dim)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_update_returns_the_history_and_the_new_rows_as_views_of_the_memory() -> None:
    cache = KVCache(TINY, batch=2)
    k, v = rows(3, 1, batch=2), rows(3, 2, batch=2)
    for layer in range(TINY.n_layers):
        cache.update(layer, k, v)
    cache.advance(3)
    later_k, later_v = rows(2, 3, batch=2), rows(2, 4, batch=2)
    all_k, all_v = cache.update(1, later_k, later_v)
    assert torch.equal(all_k, torch.cat([k, later_k], dim=2))
    assert torch.equal(all_v, torch.cat([v, later_v], dim=2))
    assert all_k.data_ptr() == cache.k[1].data_ptr()
    assert all_v.data_ptr() == cache.v[1].data_ptr()
    assert cache.length == 3, "every layer writes at the same place; advance counts"


def test_an_update_writes_its_own_layer_and_its_own_rows_only() -> None:
    cache = KVCache(TINY)
    cache.k.fill_(7)
    cache.v.fill_(7)
    cache.advance(4)
    cache.update(1, rows(2, 1), rows(2, 2))
    touched = torch.zeros_like(cache.k, dtype=torch.bool)
    touched[1, :, :, 4:6] = True
    assert torch.equal(cache.k != 7, touched)
    assert torch.equal(cache.v != 7, touched)


def test_the_memory_is_taken_once() -> None:
    cache = KVCache(TINY)
    places = cache.k.data_ptr(), cache.v.data_ptr()
    for step in range(10):
        for layer in range(TINY.n_layers):
            cache.update(layer, rows(1, step), rows(1, step))
        cache.advance(1)
    cache.crop(3)
    cache.reset()
    assert places == (cache.k.data_ptr(), cache.v.data_ptr())


@pytest.mark.parametrize("n", [-1, 5])
def test_crop_refuses_more_rows_than_there_are(n: int) -> None:
    cache = KVCache(TINY)
    cache.advance(4)
    with pytest.raises(ValueError, match="crop"):
        cache.crop(n)
    assert cache.length == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("card", available_models(), ids=lambda card: card.name)
def test_the_formula_for_the_size_is_the_size_of_the_memory(card, dtype: torch.dtype) -> None:
    width = dtype.itemsize
    cache = KVCache(card.config, batch=3, max_seq_len=17, dtype=dtype)
    assert cache.allocated_bytes == cache.k.nbytes + cache.v.nbytes
    assert cache.allocated_bytes == cache_bytes(card.config, 17, batch=3, bytes_per_float=width)
    assert cache.used_bytes == 0
    cache.advance(5)
    assert cache.used_bytes == cache_bytes(card.config, 5, batch=3, bytes_per_float=width)
    cache.crop(2)
    assert cache.used_bytes == cache_bytes(card.config, 2, batch=3, bytes_per_float=width)


def test_a_cache_is_as_long_as_the_model_unless_told() -> None:
    assert KVCache(TINY).k.shape == (
        TINY.n_layers,
        1,
        TINY.n_kv_heads,
        TINY.max_seq_len,
        TINY.head_dim,
    )
    assert KVCache(TINY, max_seq_len=5).v.shape[3] == 5
