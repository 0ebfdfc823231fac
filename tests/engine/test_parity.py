"""The engine against Hugging Face's models of the same kind, on the same weights, in float32."""

from itertools import pairwise
from pathlib import Path
from typing import Any

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
    """The logits of a prefill and of every step after it, and what is stored, agree with the reference's."""
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
        # The reference forgets what has left the window.
        rows = cache.length if ours.config.window is None else ours.config.window - 1
        kept = slice(cache.length - rows, cache.length)
        assert largest_difference(cache.k[i, :, :, kept], keys) <= TOLERANCE
        assert largest_difference(cache.v[i, :, :, kept], values) <= TOLERANCE


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


LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 3.0,
    "original_max_position_embeddings": 32,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama 2, untied": {"tie_word_embeddings": False},
    "llama 3": {"tie_word_embeddings": False, "rope_parameters": LLAMA_3},
    "smollm": {"num_attention_heads": 9, "num_key_value_heads": 3, "hidden_size": 54},
    "mistral": {"kind": "mistral", "sliding_window": 12, "tie_word_embeddings": False},
    "mistral, no window": {"kind": "mistral", "sliding_window": None},
    "qwen 2": {"kind": "qwen2", "tie_word_embeddings": True},
    "qwen 2, windowed": {
        "kind": "qwen2",
        "use_sliding_window": True,
        "sliding_window": 7,
        "max_window_layers": 0,
    },
    "qwen 3": {"kind": "qwen3", "head_dim": 20},
}
SHARED = {"num_attention_heads": 4, "num_key_value_heads": 2}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_what_hugging_face_computes(family: str, tmp_path: Path) -> None:
    """The prefill, then one token after another: cached."""
    save_random_llama(tmp_path, **{**SHARED, **FAMILIES[family]})
    assert_same_as_reference(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_computes_the_same_naively_in_chunks_and_written_out(
    family: str, tmp_path: Path
) -> None:
    save_random_llama(tmp_path, **{**SHARED, **FAMILIES[family]})
    ours, reference = load_model(tmp_path), load_reference(tmp_path)
    token_ids = random_ids(ours.config.vocab_size, 41)
    with torch.inference_mode():
        expected = reference(token_ids, attention_mask=torch.ones_like(token_ids)).logits
    assert largest_difference(ours(token_ids), expected) <= TOLERANCE
    recorded = ours(token_ids, tap=lambda name, tensor: tensor)
    assert largest_difference(recorded, expected) <= TOLERANCE
    for chunk in (1, 5, 16):
        cache = KVCache(ours.config, max_seq_len=41)
        parts = [ours(part, cache) for part in token_ids.split(chunk, dim=1)]
        assert largest_difference(torch.cat(parts, dim=1), expected) <= TOLERANCE


def test_llama_3_changes_some_of_the_angles_and_not_all(tmp_path: Path) -> None:
    """Else the parity above would say nothing of it."""
    save_random_llama(tmp_path / "new", **{**SHARED, "rope_parameters": LLAMA_3})
    save_random_llama(tmp_path / "old", **SHARED)
    same = (load_model(tmp_path / "new").cos == load_model(tmp_path / "old").cos).all(dim=0)
    assert same.any()
    assert not same.all()


def test_a_model_in_several_files_is_the_same_model(tmp_path: Path) -> None:
    save_random_llama(tmp_path / "one", **SHARED)
    save_random_llama(tmp_path / "many", shard="20kB", **SHARED)
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 2
    ours = load_model(tmp_path / "many")
    assert torch.equal(ours.weights.layers[1].w_down, load_model(tmp_path / "one").weights.layers[1].w_down)
    assert_same_as_reference(tmp_path / "many")
