"""Several sequences in one pass: each as it is alone, and the bytes that a step reads."""

import pytest
import torch

from kvengine import KVCache, PromptError, available_models, load_model, load_tokenizer
from kvengine.batch import continued, measure, texts
from kvengine.cost import weight_floats
from tests.engine.reference import GROUPINGS, random_ids, tiny_model


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), GROUPINGS)
def test_a_row_of_a_batch_comes_out_as_it_does_alone(n_heads: int, n_kv_heads: int) -> None:
    """In float64: prefill, a chunk and decode, with the fused kernel and with attention written out."""
    model = tiny_model(n_heads=n_heads, n_kv_heads=n_kv_heads)
    ids = random_ids(model.config.vocab_size, 5 * 12).view(5, 12)
    for tap in (None, lambda _, tensor: tensor):
        together = KVCache(model.config, batch=5, dtype=model.dtype)
        apart = [KVCache(model.config, dtype=model.dtype) for _ in range(5)]
        for start, end in ((0, 7), (7, 11), (11, 12)):
            logits = model(ids[:, start:end], together, tap)
            for row in range(5):
                alone = model(ids[row : row + 1, start:end], apart[row], tap)
                torch.testing.assert_close(logits[row : row + 1], alone, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [card.name for card in available_models()])
def test_shipped_models_write_the_same_in_a_batch(name: str) -> None:
    ids = load_tokenizer(name).encode("Once upon a time, there was a dog")
    points = list(measure(load_model(name), ids, sizes=(1, 32), length=12, steps=2, turns=1))
    assert [point.batch for point in points] == [1, 32]
    for point in points:
        assert point.difference < 1e-3
        assert point.compared == point.batch * 3


def test_the_bytes_of_a_step_are_the_weights_once_and_every_cache() -> None:
    model = tiny_model()
    one, four = measure(model, [1, 2, 3], sizes=(1, 4), length=8, steps=4, turns=1)
    assert one.weight_bytes == four.weight_bytes == 8 * weight_floats(model.config)
    assert four.cache_bytes == 4 * one.cache_bytes == 4 * 10 * model.config.kv_floats_per_token * 8
    assert four.bytes_per_token < one.bytes_per_token


def test_the_texts_of_a_batch_differ() -> None:
    rows = texts(tiny_model(), [1, 2, 3, 4], 16, 8)
    assert rows.shape == (8, 16)
    assert len({tuple(row.tolist()) for row in rows}) == 8
    with pytest.raises(PromptError, match="no token"):
        texts(tiny_model(), [], 16, 8)


def test_times_are_those_of_the_decode_steps_alone() -> None:
    ticks = iter(range(10**6))
    tokens, logits, seconds = continued(tiny_model(), random_ids(61, 6), 5, clock=lambda: float(next(ticks)))
    assert seconds == [1.0] * 5
    assert tokens.shape == (1, 5)
    assert torch.equal(logits.argmax(dim=-1), tokens)


def test_a_measurement_stops_at_once() -> None:
    assert list(measure(tiny_model(), [1, 2], sizes=(1, 2), length=6, steps=2, stopped=lambda: True)) == []
