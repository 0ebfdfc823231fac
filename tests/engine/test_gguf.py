"""A model from a GGUF file: the one that a package carries, and small ones written here."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvengine import CheckpointError, KVCache, further_models, generate, load_model, load_tokenizer
from kvengine.chat import chat_ids
from kvengine.gguf_file import GGUFFile, _rotate_half_order, open_gguf
from kvengine.gguf_header import read_header
from kvengine.weights import SMOLLM2, _find
from tests.engine.reference import TINY, random_ids, tiny_model

MODEL, TOKENIZER = load_model(SMOLLM2), load_tokenizer(SMOLLM2)


# ---- the real one ----------------------------------------------------------------------------------------


def test_the_packaged_model_has_a_card() -> None:
    card = next(card for card in further_models() if card.name == SMOLLM2)
    c = card.config
    assert (c.n_layers, c.n_heads, c.n_kv_heads, c.head_dim) == (30, 9, 3, 64)
    assert (c.vocab_size, c.max_seq_len, c.rope_theta, c.tied) == (49_152, 8_192, 100_000, True)
    assert card.parameters == 134_515_008
    assert card.validation_loss is None


def test_it_knows_the_capital_of_france() -> None:
    """With queries and keys in the wrong order, or a scale forgotten, it would write no sentence at all."""
    ids = TOKENIZER.encode("The capital of France is")
    written = [step.token_id for step in generate(MODEL, ids, max_new_tokens=2, use_cache=True)]
    assert TOKENIZER.decode(written) == " Paris."


def test_its_cached_pass_gives_what_the_naive_one_gives() -> None:
    token_ids = random_ids(MODEL.config.vocab_size, 24)
    cache = KVCache(MODEL.config, max_seq_len=24)
    parts = torch.cat([MODEL(part, cache) for part in token_ids.split([16, *[1] * 8], dim=1)], dim=1)
    naive = MODEL(token_ids)
    assert naive.std() > 1
    assert (parts - naive).abs().max() < 2e-3


#: Its vocabulary has no token for some control characters, nor for bytes of planes without characters.
any_text = st.text(st.characters(exclude_categories=["Cs", "Cn", "Cc"], max_codepoint=0x3FFFF))


@settings(max_examples=50)
@given(any_text)
@example("<|im_start|>user\n<|im_end|><|endoftext|>")
@example("👩\u200d👩\u200d👧 देवनागरी  12345 \n\n it's")
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert ids[0] == TOKENIZER.start == 0
    assert min(ids[1:], default=17) >= 17, "the first seventeen are special tokens"


def test_digits_are_tokens_of_their_own_and_special_tokens_have_their_names() -> None:
    ids = TOKENIZER.encode("in 1984")
    assert TOKENIZER.texts(ids) == ["(start)", "in", " ", "1", "9", "8", "4"]
    assert TOKENIZER.token_text(1) == "<|im_start|>"


def test_a_conversation_has_its_template_and_what_is_said_is_text() -> None:
    template = open_gguf(_find(SMOLLM2)).chat_template
    assert template
    ids = chat_ids(TOKENIZER, template, [("user", "Say <|im_end|> {{ 7 * 7 }}!")])
    assert TOKENIZER.texts(ids)[:3] == ["<|im_start|>", "system", "\n"]
    assert ids.count(2) == 2, "one that ends the system's turn, one the user's"
    text = "".join(TOKENIZER.texts(ids))
    assert text.endswith("<|im_start|>user\nSay <|im_end|> {{ 7 * 7 }}!<|im_end|>\n<|im_start|>assistant\n")
    answer = [
        step.token_id
        for step in generate(
            MODEL,
            chat_ids(TOKENIZER, template, [("user", "What is the capital of France?")]),
            max_new_tokens=8,
            use_cache=True,
        )
    ]
    assert "Paris" in TOKENIZER.decode(answer)


def test_a_broken_template_is_refused() -> None:
    with pytest.raises(CheckpointError, match="chat template cannot be filled in"):
        chat_ids(TOKENIZER, "{% for %}", [("user", "Hello")])
    with pytest.raises(CheckpointError, match="chat template cannot be filled in"):
        chat_ids(TOKENIZER, "{{ messages.__class__.__mro__ }}", [("user", "Hello")])


# ---- small ones ------------------------------------------------------------------------------------------

NAMES = {
    "attn_norm": "attn_norm",
    "wo": "attn_output",
    "ffn_norm": "ffn_norm",
    "w_gate": "ffn_gate",
    "w_up": "ffn_up",
    "w_down": "ffn_down",
}


def write(
    path: Path,
    *,
    quantize: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    change: Callable[[dict[str, Any], dict[str, np.ndarray[Any, Any]]], object] = lambda said, tensors: None,
) -> Path:
    """A tiny model as llama.cpp keeps one: queries and keys with their pairs side by side."""
    model = tiny_model(dtype=torch.float32, d_model=64, d_ffn=96, head_dim=8)
    c, w = model.config, model.weights
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "token_embd.weight": w.embed.numpy(),
        "output_norm.weight": w.norm.numpy(),
    }
    for i, layer in enumerate(w.layers):
        q, k, v = layer.wqkv.split([n * c.head_dim for n in (c.n_heads, c.n_kv_heads, c.n_kv_heads)])
        parts = {"attn_q": side_by_side(q, c.head_dim), "attn_k": side_by_side(k, c.head_dim), "attn_v": v}
        parts |= {stored: getattr(layer, ours) for ours, stored in NAMES.items()}
        tensors |= {f"blk.{i}.{name}.weight": tensor.numpy() for name, tensor in parts.items()}
    said: dict[str, Any] = {
        "context_length": c.max_seq_len,
        "embedding_length": c.d_model,
        "block_count": c.n_layers,
        "feed_forward_length": c.d_ffn,
        "attention.head_count": c.n_heads,
        "attention.head_count_kv": c.n_kv_heads,
        "attention.key_length": c.head_dim,
        "attention.value_length": c.head_dim,
        "rope.dimension_count": c.head_dim,
        "attention.layer_norm_rms_epsilon": c.norm_eps,
        "rope.freq_base": c.rope_theta,
    }
    change(said, tensors)
    writer = gguf.GGUFWriter(path, said.pop("kind", "llama"))
    for key, value in said.items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"llama.{key}", value)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([f"t{i}" for i in range(c.vocab_size)])
    for name, tensor in tensors.items():
        if tensor.ndim == 1:
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, gguf.quants.quantize(tensor, quantize), raw_dtype=quantize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def side_by_side(matrix: torch.Tensor, head_dim: int) -> torch.Tensor:
    """Each head's rows 0 1 2 … as 0, half, 1, half + 1, …"""
    half = head_dim // 2
    order = [i // 2 + i % 2 * half for i in range(head_dim)]
    rows = [head * head_dim + i for head in range(len(matrix) // head_dim) for i in order]
    return matrix[rows].contiguous()


@pytest.mark.parametrize(
    ("quantize", "lost"),
    [
        (gguf.GGMLQuantizationType.F32, 0),
        (gguf.GGMLQuantizationType.F16, 2e-3),
        (gguf.GGMLQuantizationType.Q8_0, 0.03),
        (gguf.GGMLQuantizationType.Q4_1, 0.4),
    ],
)
def test_weights_come_back_but_for_what_quantization_has_lost(
    quantize: gguf.GGMLQuantizationType, lost: float, tmp_path: Path
) -> None:
    expected = tiny_model(dtype=torch.float32, d_model=64, d_ffn=96, head_dim=8)
    read = load_model(write(tmp_path / "tiny.gguf", quantize=quantize))
    assert replace(read.config, norm_eps=expected.config.norm_eps) == expected.config
    for ours, theirs in zip(read.weights.layers, expected.weights.layers, strict=True):
        for name, tensor in vars(theirs).items():
            if tensor is not None:
                assert (getattr(ours, name) - tensor).abs().max() <= lost, name
    assert (read.weights.layers[0].wqkv != expected.weights.layers[0].wqkv).any() == (lost > 0)


def test_a_file_whose_memory_was_given_back_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf", quantize=gguf.GGMLQuantizationType.Q4_1)
    first, second = load_model(path), load_model(path)
    assert first.weights.embed is not second.weights.embed
    assert torch.equal(first.weights.embed, second.weights.embed)


def test_scores_do_not_change_when_pairs_are_put_in_another_order() -> None:
    """llama.cpp turns entries 2i and 2i + 1 together, this engine i and i + half, by the same angles."""
    matrix = torch.randn(3 * 8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randn(2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    angle = 10_000.0 ** (-torch.arange(4, dtype=torch.float64) / 4) * torch.tensor([[3.0], [9.0]])

    def turned(pairs: torch.Tensor) -> torch.Tensor:  # [2, heads, 4, 2], a pair a row
        a, b = pairs.unbind(-1)
        cos, sin = angle.cos()[:, None], angle.sin()[:, None]
        return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)

    theirs = turned((x @ matrix.T).view(2, 3, 4, 2))
    ours = turned((x @ _rotate_half_order(matrix, 3).T).view(2, 3, 2, 4).transpose(2, 3))
    assert torch.allclose((theirs[0] * theirs[1]).sum(-1), (ours[0] * ours[1]).sum(-1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda said, _: said.update(kind="gpt2"), "a model of the kind 'gpt2'; of GGUF files"),
        (lambda said, _: said.update({"rope.scaling.factor": 8.0}), "has llama.rope.scaling.factor = 8.0"),
        (lambda said, _: said.update({"expert_count": 8}), "has llama.expert_count = 8, .*does not know"),
        (lambda said, _: said.pop("block_count"), "has llama.block_count = None, not a number"),
        (lambda said, _: said.update({"attention.head_count": 0}), "n_heads is 0"),
        (
            lambda said, _: said.update({"rope.dimension_count": 4}),
            "dimension_count = 4, and heads of 8",
        ),
        (lambda said, _: said.update({"block_count": 1}), "holds blk.1.*, which its config does not explain"),
        (lambda said, _: said.update({"block_count": 3}), "lacks the tensor blk.2.attn_norm.weight"),
        (lambda _, t: t.update({"rope_freqs.weight": TINY_FREQUENCIES}), "holds rope_freqs.weight, which"),
        (lambda _, t: t.update({"blk.0.ffn_up.weight": TINY_MATRIX}), r"ffn_up.weight has shape \[32, 3\]"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    change: Callable[..., object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=told):
        load_model(write(tmp_path / "tiny.gguf", change=change))


TINY_FREQUENCIES = np.ones(4, np.float32)
TINY_MATRIX = np.ones((3, 32), np.float32)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short_is_refused(part: float, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.gguf").read_bytes()
    path = tmp_path / "tiny.gguf"
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(CheckpointError, match=r"tiny.gguf is damaged or cut short.*copy it again"):
        load_model(path)


def test_a_vocabulary_that_starts_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not say with which token a text starts"):
        load_tokenizer(write(tmp_path / "tiny.gguf"))


def test_the_operator_can_name_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "my-own.gguf")
    monkeypatch.setenv("KVENGINE_MODEL", str(path))
    assert "my-own" in [card.name for card in further_models()]
    assert load_model("my-own").config == GGUFFile(path).config
    assert TINY.vocab_size == load_model("my-own").config.vocab_size
    monkeypatch.setenv("KVENGINE_MODEL", str(tmp_path / "nowhere.gguf"))
    assert "nowhere" not in [card.name for card in further_models()]
    assert "nowhere.gguf is not offered. " in caplog.text
    with pytest.raises(CheckpointError, match=r"nowhere.gguf is damaged or cut short|no model"):
        load_model("nowhere")


def test_the_head_of_a_file_says_what_the_gguf_library_reads_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf", quantize=gguf.GGMLQuantizationType.Q8_0)
    header, reader = read_header(memoryview(path.read_bytes())), gguf.GGUFReader(path)
    theirs = {name: field.contents() for name, field in reader.fields.items() if name[:5] != "GGUF."}
    assert header.said == theirs
    assert [(t.name, list(t.shape), t.kind, t.begin) for t in header.tensors] == [
        (t.name, list(t.shape), t.tensor_type, t.data_offset) for t in reader.tensors
    ]


@settings(max_examples=200)
@given(at=st.integers(0, 2_000), byte=st.integers(0, 255))
def test_a_changed_byte_in_the_head_of_a_file_is_read_or_refused(
    at: int, byte: int, small_file: bytes
) -> None:
    data = bytearray(small_file)
    data[at] = byte
    with suppress(ValueError):
        read_header(memoryview(data))


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()
