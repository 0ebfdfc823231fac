"""The formulas against what torch counts, and against what is really there."""

import json

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kvengine import KVCache, ModelCard, Transformer, available_models, load_model, trace
from kvengine.cost import cache_bytes, masked_multiplications, naive_projections, pass_cost, weight_floats
from kvengine.weights import CHECKPOINTS
from tests.engine.reference import GROUPINGS, TINY, random_ids, tiny_model

each_model = pytest.mark.parametrize("card", available_models(), ids=lambda card: card.name)


def counted(model: Transformer, *, start: int, q_len: int, use_cache: bool = True, **options) -> int:
    """FLOPs of one pass by torch's own counter."""
    token_ids = random_ids(model.config.vocab_size, start + q_len)
    cache = KVCache(model.config, dtype=model.dtype) if use_cache else None
    if start:
        model(token_ids[:, :start], cache)
    # torch counts no FLOPs for the CPU's fused kernel; its plain form of the same call it does count.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(token_ids[:, start:], cache, **options)
    return counter.get_total_flops()


PASSES = [
    pytest.param(0, 20, True, id="prefill"),
    pytest.param(19, 1, True, id="decode"),
    pytest.param(0, 20, False, id="naive"),
    pytest.param(12, 8, True, id="chunk"),
]


@each_model
@pytest.mark.parametrize("tap", [None, lambda _, tensor: tensor], ids=["fused", "written out"])
@pytest.mark.parametrize(("start", "q_len", "use_cache"), PASSES)
def test_the_flops_are_those_that_torch_counts(
    card: ModelCard, start: int, q_len: int, use_cache: bool, tap
) -> None:
    model = load_model(card.name)
    shape = {"start": start, "q_len": q_len}
    whole = counted(model, **shape, use_cache=use_cache, tap=tap)
    assert whole == pass_cost(card.config, **shape, readout_rows=q_len).flops
    last = counted(model, **shape, use_cache=use_cache, tap=tap, last_only=True)
    assert last == pass_cost(card.config, **shape).flops


@pytest.mark.parametrize(("n_heads", "n_kv_heads"), GROUPINGS)
def test_the_flops_are_those_that_torch_counts_for_every_head_grouping(n_heads: int, n_kv_heads: int) -> None:
    model = tiny_model(n_heads=n_heads, n_kv_heads=n_kv_heads)
    for start, q_len in ((0, 5), (4, 1)):
        expected = pass_cost(model.config, q_len=q_len, start=start).flops
        assert counted(model, start=start, q_len=q_len, last_only=True) == expected


def test_a_thousand_tokens_without_a_cache_project_half_a_million_rows() -> None:
    assert naive_projections(1000) == 500_500
    for n in range(30):
        assert naive_projections(n) == sum(range(1, n + 1))


@each_model
def test_qkv_rows_of_naive_generation_add_up_to_the_closed_form(card: ModelCard) -> None:
    one_row = pass_cost(card.config, q_len=1).qkv
    naive = sum(pass_cost(card.config, q_len=n).qkv for n in range(1, 101))
    cached = sum(pass_cost(card.config, q_len=1, start=n).qkv for n in range(100))
    assert naive == naive_projections(100) * one_row
    assert cached == 100 * one_row


def test_the_parts_of_a_pass_are_their_closed_forms() -> None:
    cost = pass_cost(TINY, q_len=3, start=5, readout_rows=2)
    assert cost.qkv == 2 * 3 * 24 * (4 + 2 + 2) * 6  # layers, rows, d_model, heads with KV heads, head_dim
    assert cost.scores == cost.mix == 2 * 4 * 3 * 8 * 6  # layers, heads, rows, keys, head_dim
    assert cost.wo == 2 * 3 * 24 * 24
    assert cost.ffn == 2 * 3 * 3 * 24 * 40
    assert cost.readout == 2 * 24 * 61
    assert cost.multiplications == (cost.qkv + cost.scores + cost.mix + cost.wo + cost.ffn + cost.readout)
    assert cost.flops == 2 * cost.multiplications


@pytest.mark.parametrize(("start", "q_len"), [(0, 1), (0, 2), (0, 9), (6, 1), (6, 5)])
def test_the_masked_multiplications_are_those_of_the_scores_that_a_trace_masks(
    start: int, q_len: int
) -> None:
    model = tiny_model()
    cache = KVCache(model.config, dtype=model.dtype)
    token_ids = random_ids(model.config.vocab_size, start + q_len)
    if start:
        model(token_ids[:, :start], cache)
    recorded = trace(model, token_ids[:, start:], cache)
    hidden = sum(int(np.isneginf(t).sum()) for name, t in recorded.items() if name.endswith("attn.masked"))
    # Each is a row of q times a row of k, and its weight times a row of v.
    assert masked_multiplications(model.config, q_len=q_len) == hidden * 2 * model.config.head_dim
    cost = pass_cost(model.config, q_len=q_len, start=start)
    assert masked_multiplications(model.config, q_len=q_len) < cost.scores + cost.mix


@each_model
def test_the_weights_are_as_many_as_there_are(card: ModelCard) -> None:
    weights = load_model(card.name).weights
    layers = [t for layer in weights.layers for t in vars(layer).values() if t is not None]
    tensors = [weights.embed, weights.norm, *layers]
    assert weight_floats(card.config) == sum(tensor.numel() for tensor in tensors)
    told = json.loads((CHECKPOINTS / card.name / "card.json").read_text(encoding="utf-8"))
    assert weight_floats(card.config) == card.parameters == told["parameters"]


@each_model
def test_the_cache_of_a_full_context_is_as_large_as_the_formula_says(card: ModelCard) -> None:
    config = card.config
    cache = KVCache(config)
    assert cache_bytes(config, config.max_seq_len) == cache.k.nbytes + cache.v.nbytes
    assert cache_bytes(config, 1) == 4 * config.kv_floats_per_token
    assert config.kv_floats_per_token == 2 * config.n_layers * config.n_kv_heads * config.head_dim


def test_a_llama_2_7b_takes_half_a_megabyte_a_token() -> None:
    """A number that papers give: 2 × 32 layers × 32 heads × 128 × 2 bytes."""
    from kvengine import Config

    llama = Config(32_000, 4096, 32, 32, 32, 128, 11_008, 4096)
    assert cache_bytes(llama, 1, bytes_per_float=2) == 512 * 1024
    assert weight_floats(llama) == 6_738_415_616 - 32_000 * 4096  # its readout is a matrix of its own


def test_counting_leaves_the_result_alone() -> None:
    model = tiny_model()
    token_ids = random_ids(TINY.vocab_size, 4)
    with sdpa_kernel(SDPBackend.MATH):
        written = model(token_ids)
    torch.testing.assert_close(written, model(token_ids), rtol=0, atol=1e-10)
