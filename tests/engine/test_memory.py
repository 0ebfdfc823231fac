"""The formula against the tensors that it counts, and the presets against the published figures."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvengine import KVCache, ModelCard, available_models
from kvengine.cost import cache_bytes
from kvengine.memory import (
    FORMATS,
    MOST_TOKENS,
    Shape,
    SizeError,
    allocate,
    decode_bound,
    kv_bytes,
    most_sequences,
    outweighs_at,
    wrong_formulas,
)
from kvengine.presets import gpus, presets

KIB, GIB = 2**10, 2**30
BF16, FP32 = FORMATS["bf16"], FORMATS["fp32"]
each_model = pytest.mark.parametrize("card", available_models(), ids=lambda card: card.name)


# ---- the formula, and real tensors -----------------------------------------------------------------------


@each_model
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp8"])
def test_the_formula_is_the_size_of_the_engines_cache(card: ModelCard, batch: int, name: str) -> None:
    fmt, shape = FORMATS[name], Shape.of(card.config)
    cache = KVCache(card.config, batch=batch, max_seq_len=40, dtype=fmt.dtype)
    assert cache.allocated_bytes == kv_bytes(shape, 40, fmt, batch=batch)
    cache.advance(17)
    assert cache.used_bytes == kv_bytes(shape, 17, fmt, batch=batch)


@each_model
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_formula_is_the_size_of_a_models_tensors_in_every_format(
    card: ModelCard, batch: int, name: str
) -> None:
    shape = Shape.of(card.config)
    tensors = allocate(shape, 40, FORMATS[name], batch=batch)
    assert sum(tensor.nbytes for tensor in tensors) == kv_bytes(shape, 40, FORMATS[name], batch=batch)


@each_model
def test_both_formulas_of_the_engine_agree(card: ModelCard) -> None:
    for tokens in (1, 14, 512):
        assert kv_bytes(Shape.of(card.config), tokens, FP32, batch=2) == cache_bytes(
            card.config, tokens, batch=2
        )


@given(
    st.integers(1, 5),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 70),
    st.integers(1, 20),
    st.integers(1, 3),
    st.sampled_from(sorted(FORMATS)),
)
def test_the_formula_is_the_size_of_allocated_tensors_scales_included(
    layers: int, kv_heads: int, head_dim: int, tokens: int, batch: int, name: str
) -> None:
    shape, fmt = Shape(layers, 4, kv_heads, head_dim), FORMATS[name]
    tensors = allocate(shape, tokens, fmt, batch=batch)
    assert sum(tensor.nbytes for tensor in tensors) == kv_bytes(shape, tokens, fmt, batch=batch)
    assert tensors[0].shape[:4] == (layers, batch, kv_heads, tokens)


def test_bits_per_number_are_told_with_their_scales() -> None:
    assert {name: fmt.bits_per_number for name, fmt in FORMATS.items()} == {
        "fp32": 32,
        "bf16": 16,
        "fp8": 8,
        "int8": 8.5,
        "int4": 4.5,
    }
    assert FORMATS["int8"].row_bytes(128) * 8 / 128 == 8.5
    assert FORMATS["int4"].row_bytes(128) * 8 / 128 == 4.5
    assert FORMATS["int8"].row_bytes(16) * 8 / 16 == 9  # a group that is half full


def test_growth_is_linear() -> None:
    shape = presets()["llama-3.1-8b"].shape
    sizes = [kv_bytes(shape, n, BF16) for n in range(1, 50)]
    assert {b - a for a, b in itertools.pairwise(sizes)} == {shape.token_bytes(BF16)}


def test_a_window_ends_the_growth_of_its_layers() -> None:
    shape = Shape(6, 4, 2, 8, window=10, n_local=5)
    assert kv_bytes(shape, 10, BF16) == 10 * shape.token_bytes(BF16)
    assert kv_bytes(shape, 11, BF16) - kv_bytes(shape, 10, BF16) == shape.layer_bytes(BF16)


# ---- the presets -----------------------------------------------------------------------------------------

#: KiB per token at 16 bits, and GiB of one sequence at so many tokens: the collected facts, part A.
PUBLISHED = {
    "gpt2": (36.0, 1024, 36 / 1024),
    "gpt2-xl": (300.0, 1024, 300 / 1024),
    "tinyllama": (22.0, 2048, 44 / 1024),
    "smollm2-1.7b": (192.0, 8192, 1.5),
    "llama-2-7b": (512, 4096, 2.0),
    "llama-2-13b": (800, 4096, 3.125),
    "llama-2-70b": (320, 4096, 1.25),
    "llama-3.2-1b": (32, 131072, 4.0),
    "llama-3.1-8b": (128, 131072, 16.0),
    "llama-3.1-70b": (320, 131072, 40.0),
    "llama-3.1-405b": (504, 131072, 63.0),
    "mistral-7b-v0.1": (128, 8192, 0.5),
    "mistral-7b-v0.3": (128, 32768, 4.0),
    "mixtral-8x7b": (128, 32768, 4.0),
    "gemma-2-9b": (336, 8192, 1.97),
    "gemma-3-4b": (136, 131072, 2.61),
    "gemma-3-27b": (496, 131072, 10.4),
    "qwen2.5-7b": (56, 131072, 7.0),
    "qwen3-0.6b": (112, 40960, 4.38),
    "qwen3-32b": (256, 40960, 10.0),
    "qwen3-30b-a3b": (96, 40960, 3.75),
    "qwen3-235b-a22b": (188, 40960, 7.34),
    "phi-4": (200, 16384, 3.13),
    "falcon-7b": (8, 2048, 16 / 1024),
    "olmo-2-7b": (512, 4096, 2.0),
    "gpt-oss-120b": (72, 131072, 4.5),
    "deepseek-v2": (67.5, 131072, 8.44),
    "deepseek-v3": (68.6, 131072, 8.58),
}


@pytest.mark.parametrize("key", presets())
def test_a_preset_gives_the_published_figures(key: str) -> None:
    kib, tokens, gib = PUBLISHED[key]
    shape = presets()[key].shape
    assert shape.token_bytes(BF16) / KIB == pytest.approx(kib, abs=0.05)
    assert kv_bytes(shape, tokens, BF16) / GIB == pytest.approx(gib, rel=0.005)


def test_every_published_figure_has_its_preset_and_every_preset_its_source() -> None:
    assert PUBLISHED.keys() == presets().keys()
    assert {preset.shape.kind for preset in presets().values()} == {"MHA", "GQA", "MQA", "MLA"}
    for item in (*presets().values(), *gpus().values()):
        assert item.source
        assert item.date.startswith("2026-")


def test_the_parameters_that_a_token_uses_are_the_published_ones() -> None:
    """In billions: Qwen3 has them in its names, others publish them, and Mixtral's follow by hand."""
    experts = {key: p.active / 1e9 for key, p in presets().items() if p.active != p.parameters}
    one = 3 * 4096 * 14336 * 32 / 1e9  # an expert of Mixtral, in all layers
    assert experts.pop("mixtral-8x7b") == pytest.approx(46.7 - 6 * one, abs=1e-6)
    assert 46.7 - 7 * one == pytest.approx(presets()["mistral-7b-v0.3"].parameters / 1e9, abs=0.01)
    assert {key: round(active, 1) for key, active in experts.items()} == {
        "qwen3-30b-a3b": 3.4,
        "qwen3-235b-a22b": 22.2,
        "gpt-oss-120b": 5.1,
        "deepseek-v2": 21,
        "deepseek-v3": 37,
    }


def test_what_the_windows_and_the_latent_rows_save() -> None:
    gemma, deepseek = presets()["gemma-3-27b"].shape, presets()["deepseek-v3"].shape
    assert wrong_formulas(gemma, 131_072, BF16)["window"] / GIB == 62
    assert wrong_formulas(deepseek, 1, BF16)["expanded"] == (192 + 128) * 128 * 61 * 2
    assert wrong_formulas(deepseek, 1000, BF16)["expanded"] / kv_bytes(deepseek, 1000, BF16) == pytest.approx(
        71.1, abs=0.05
    )


def test_the_anchors_of_others_are_met() -> None:
    """kvpress: 1M tokens of Llama 3.1 70B, up to 330 GB; vLLM: 1.7 GB for 2,048 tokens of a LLaMA 13B."""
    assert kv_bytes(presets()["llama-3.1-70b"].shape, 10**6, BF16) == 327_680 * 10**6
    assert kv_bytes(presets()["llama-2-13b"].shape, 2048, BF16) / 1e9 == pytest.approx(1.68, abs=0.005)


def test_the_wrong_formulas_miss_as_they_are_known_to() -> None:
    qwen = presets()["qwen3-32b"].shape
    assert wrong_formulas(qwen, 1, BF16)["derived"] == 160 * KIB  # the classic; right is 256
    llama = presets()["llama-3.1-8b"].shape
    right, wrong = kv_bytes(llama, 100, BF16), wrong_formulas(llama, 100, BF16)
    assert {name: size / right for name, size in wrong.items()} == {
        "bits": 8,
        "no_two": 0.5,
        "heads": 4,
        "hidden": 4,
        "derived": 1,
    }


# ---- beside the weights, on a GPU ------------------------------------------------------------------------


def test_the_cache_outweighs_the_weights_from_that_token_on() -> None:
    llama = presets()["llama-3.1-8b"]
    weights = 2 * llama.parameters
    n = outweighs_at(llama.shape, BF16, weights)
    assert n
    assert kv_bytes(llama.shape, n, BF16) > weights >= kv_bytes(llama.shape, n - 1, BF16)
    assert outweighs_at(Shape(2, 2, 2, 8, window=10, n_local=2), BF16, weights) is None


def test_as_many_sequences_fit_as_one_can_add_up() -> None:
    assert most_sequences(80e9, int(16e9), int(16e9)) == 4
    assert most_sequences(80e9, int(16e9), int(17e9)) == 3
    assert most_sequences(10e9, int(16e9), 1) == 0


def test_a_batch_shares_the_weights_but_not_the_caches() -> None:
    alone = decode_bound(1e12, int(16e9), int(1e9))
    assert alone == pytest.approx(1e12 / 17e9)
    assert alone < decode_bound(1e12, int(16e9), int(1e9), batch=32) < 32 * alone
    assert decode_bound(1e12, 0, int(1e9), batch=32) == pytest.approx(1000)


# ---- nonsense --------------------------------------------------------------------------------------------

GOOD = {"n_layers": 4, "n_heads": 8, "n_kv_heads": 4, "head_dim": 16}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_layers": -3}, "number of layers is -3; it must be 1 to 10,000."),
        ({"n_layers": 0}, "it must be 1"),
        ({"n_kv_heads": 16}, "16 KV heads are more than the 8 query heads"),
        ({"n_kv_heads": 3}, "must be a multiple"),
        ({"head_dim": 10**30}, r"head_dim is about 10\^30"),
        ({"n_local": 5, "window": 8}, "5 of 4 layers"),
        ({"n_local": 2, "window": 0}, "window is 0"),
    ],
)
def test_an_impossible_model_gets_a_sentence(changes: dict[str, int], said: str) -> None:
    with pytest.raises(SizeError, match=said):
        Shape(**GOOD | changes)


@pytest.mark.parametrize("tokens", [0, -1, MOST_TOKENS + 1, 10**30])
def test_an_impossible_context_gets_a_sentence(tokens: int) -> None:
    with pytest.raises(SizeError, match="context is"):
        kv_bytes(Shape(**GOOD), tokens, BF16)


def test_too_large_a_cache_is_not_allocated() -> None:
    with pytest.raises(SizeError, match="shrink it"):
        allocate(Shape(4, 8, 8, 16), 10**7, FP32)
    with pytest.raises(SizeError, match="without windows"):
        allocate(presets()["deepseek-v3"].shape, 10, BF16)
