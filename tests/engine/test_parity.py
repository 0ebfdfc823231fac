"""The engine against Hugging Face's `LlamaForCausalLM` on the same weights, in float32."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from kvengine import KVCache, available_models, load_model
from tests.engine.reference import (
    GROUPINGS,
    largest_difference,
    load_reference,
    random_ids,
    save_random_llama,
)

TOLERANCE = 1e-4
PROMPT, DECODED = 9, 64


def assert_same_as_reference(name_or_dir: str | Path) -> None:
    ours, reference = load_model(name_or_dir), load_reference(name_or_dir)
    cache, reference_cache = KVCache(ours.config), DynamicCache(config=reference.config)
    token_ids = random_ids(ours.config.vocab_size, PROMPT + DECODED)
    cuts = [0, *range(PROMPT, PROMPT + DECODED + 1)]
    for start, end in pairwise(cuts):
        fresh = token_ids[:, start:end]
        with torch.inference_mode():
            expected = reference(
                fresh,
                past_key_values=reference_cache,
                attention_mask=torch.ones(1, end, dtype=torch.long),
                use_cache=True,
            ).logits
        assert expected.std() > 0.1, "logits this flat would agree whatever was computed"
        assert largest_difference(ours(fresh, cache), expected) <= TOLERANCE
    stored: list[tuple[Tensor, Tensor]] = [(layer.keys, layer.values) for layer in reference_cache.layers]
    assert len(stored) == ours.config.n_layers
    assert cache.length == PROMPT + DECODED
    for i, (keys, values) in enumerate(stored):
        assert largest_difference(cache.k[i, :, :, : cache.length], keys) <= TOLERANCE
        assert largest_difference(cache.v[i, :, :, : cache.length], values) <= TOLERANCE


def test_seven_models_ship() -> None:
    heads = [(card.config.n_heads, card.config.n_kv_heads) for card in available_models()]
    assert heads == [(1, 1), (2, 2), (4, 4), (8, 1), (8, 2), (8, 4), (8, 8)]


@pytest.mark.parametrize("name", [card.name for card in available_models()])
def test_a_shipped_model_computes_what_hugging_face_computes(name: str) -> None:
    assert_same_as_reference(name)


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), GROUPINGS)
def test_every_head_grouping_computes_what_hugging_face_computes(
    n_heads: int, n_kv_heads: int, tmp_path: Path
) -> None:
    grouped = n_kv_heads < n_heads
    save_random_llama(
        tmp_path,
        num_attention_heads=n_heads,
        num_key_value_heads=n_kv_heads,
        head_dim=10 if grouped else 48 // n_heads,  # with 10, the heads together are not d_model wide
    )
    assert_same_as_reference(tmp_path)


@pytest.mark.parametrize(("theta", "eps"), [(100.0, 1e-1), (500_000.0, 1e-6)])
def test_rotary_base_and_norm_epsilon_are_read_from_the_config(
    theta: float, eps: float, tmp_path: Path
) -> None:
    save_random_llama(
        tmp_path,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=eps,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
    )
    config = load_model(tmp_path).config
    assert (config.rope_theta, config.norm_eps) == (theta, eps)
    assert_same_as_reference(tmp_path)
