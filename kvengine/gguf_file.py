"""A Llama model in one GGUF file, as llama.cpp writes it: config, weights, tokenizer and chat template.

The numbers of such a file are mostly quantized. They are turned back into floats when it is read; what the
quantization has lost stays lost. The `gguf` library, which is only needed here, does that.
"""

import mmap
from collections.abc import Callable
from functools import cache, lru_cache
from math import prod
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from torch import Tensor

from kvengine.config import Config
from kvengine.errors import CheckpointError
from kvengine.gguf_header import read_header
from kvengine.tokenizer import Tokenizer

#: The numbers of a config, by their names below `llama.` in a file.
_NUMBERS = {
    "embedding_length": "d_model",
    "block_count": "n_layers",
    "attention.head_count": "n_heads",
    "feed_forward_length": "d_ffn",
    "context_length": "max_seq_len",
    "attention.layer_norm_rms_epsilon": "norm_eps",
}
_OPTIONAL = {
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "vocab_size",
}

#: Hugging Face's name of a layer's tensor -> llama.cpp's.
_LAYER = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}

#: How a text is cut before its pieces are looked up, by the name that llama.cpp has for it.
_CUTS: dict[str, Callable[[], pre_tokenizers.PreTokenizer]] = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
}
_CONTROL, _USER_DEFINED = 3, 4  # kinds of token that are no pieces of text


class _Tensor(NamedTuple):
    """A tensor as it is stored: its shape as GGUF counts it, the last axis first, and its quantized bytes."""

    name: str
    shape: tuple[int, ...]
    tensor_type: Any
    data: np.ndarray[Any, Any]


class GGUFFile:
    """An open file. Raises `CheckpointError` where it cannot be read, or is no Llama model."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            import gguf
        except ImportError:
            raise CheckpointError(
                f"{self.name} is a GGUF file, and the library that reads those is not installed; "
                "install it with: pip install gguf"
            ) from None
        self._dequantize: Callable[..., np.ndarray[Any, Any]] = gguf.quants.dequantize
        try:
            with path.open("rb") as file:
                self._mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            data = np.frombuffer(self._mapped, dtype=np.uint8)
            header = read_header(data.data)
            self._said = header.said
            self._tensors = {}
            for info in header.tensors:
                stored_as = gguf.GGMLQuantizationType(info.kind)
                rows = gguf.quant_shape_to_byte_shape(info.shape[::-1], stored_as)
                numbers = data[info.begin : info.begin + prod(rows)].reshape(rows)
                self._tensors[info.name] = _Tensor(info.name, info.shape, stored_as, numbers)
        except Exception as error:  # whatever stands in a file
            raise CheckpointError(f"{self.name} is damaged or cut short ({error}); copy it again.") from None
        if (kind := self._said.get("general.architecture")) != "llama":
            raise CheckpointError(
                f"{self.name} holds a model of the kind {short(kind)}; of GGUF files this engine reads those "
                "of the kind llama."
            )
        self.config = self._read_config()

    def _read_config(self) -> Config:
        said = {key.removeprefix("llama."): key for key in self._said if key.startswith("llama.")}
        if unknown := sorted(said.keys() - _NUMBERS.keys() - _OPTIONAL):
            key = said[unknown[0]]
            raise CheckpointError(
                f"{self.name} has {key} = {short(self._said.get(key))}, which this engine does not know; "
                "choose a model without it."
            )
        numbers: dict[str, Any] = {}
        for key, name in _NUMBERS.items():
            numbers[name] = self._number(key, float if name == "norm_eps" else int)
        n_heads, tokens = numbers["n_heads"], self._tokens()
        head_dim = self._number("attention.key_length", int, numbers["d_model"] // max(n_heads, 1))
        for key in ("attention.value_length", "rope.dimension_count"):
            if self._number(key, int, head_dim) != head_dim:
                raise CheckpointError(
                    f"{self.name} has llama.{key} = {self._said['llama.' + key]}, and heads of {head_dim} "
                    "entries; this engine computes models where the two are equal."
                )
        try:
            return Config(
                **numbers,
                vocab_size=len(tokens),
                head_dim=head_dim,
                n_kv_heads=self._number("attention.head_count_kv", int, n_heads),
                rope_theta=self._number("rope.freq_base", float, 10_000.0),
                tied="output.weight" not in self._tensors,
            )
        except CheckpointError as error:
            raise CheckpointError(f"{self.name} contradicts itself: {error}") from None

    def _number(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._said.get(f"llama.{key}")
        value = default if value is None else value
        if not isinstance(value, int | kind) or isinstance(value, bool):
            raise CheckpointError(
                f"{self.name} has llama.{key} = {short(value)}, not a number; copy it again."
            )
        return kind(value)

    def _tokens(self) -> list[str]:
        tokens = self._said.get("tokenizer.ggml.tokens")
        if not isinstance(tokens, list) or not tokens:
            raise CheckpointError(f"{self.name} has no vocabulary; choose a file that carries its own.")
        return tokens

    # ---- weights -----------------------------------------------------------------------------------------

    def check(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Raise `CheckpointError` unless the file holds just the tensors of these names and shapes."""
        left = dict(self._tensors)
        for name, shape in shapes.items():
            stored = left.pop(_stored_name(name), None)
            if stored is None:
                raise CheckpointError(f"{self.name} lacks the tensor {_stored_name(name)}; copy it again.")
            if stored.shape != shape[::-1]:
                raise CheckpointError(
                    f"{self.name}: {stored.name} has shape {list(stored.shape)}, but its numbers "
                    f"ask for {list(reversed(shape))}; copy it again."
                )
        if left:
            raise CheckpointError(
                f"{self.name} holds {next(iter(left))[:80]}, which its config does not explain; "
                "choose a model without additions to Llama's architecture."
            )

    def read(self, name: str) -> Tensor:
        """A tensor by Hugging Face's name, as float32; queries and keys in the order of rotate-half."""
        stored = self._tensors[_stored_name(name)]
        try:
            tensor = torch.tensor(self._dequantize(stored.data, stored.tensor_type))
        except (NotImplementedError, ValueError) as error:
            raise CheckpointError(
                f"{self.name}: {stored.name} is stored as {stored.tensor_type.name}, which cannot be turned "
                f"into floats ({error}); choose another quantization."
            ) from None
        heads = {"attn_q": self.config.n_heads, "attn_k": self.config.n_kv_heads}
        part = stored.name.split(".")[-2]
        return _rotate_half_order(tensor, heads[part]) if part in heads else tensor

    def let_go(self) -> None:
        """Give back the memory of what was read of the file: what is asked for again comes from the disk."""
        if hasattr(mmap, "MADV_DONTNEED"):  # where the system has it
            self._mapped.madvise(mmap.MADV_DONTNEED)

    # ---- text --------------------------------------------------------------------------------------------

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that turns a conversation into the model's text, where the file has one."""
        template = self._said.get("tokenizer.chat_template")
        return template if isinstance(template, str) else None

    def tokenizer(self) -> Tokenizer:
        """The file's own vocabulary and merges."""
        kind, cut = self._said.get("tokenizer.ggml.model"), self._said.get("tokenizer.ggml.pre")
        if kind != "gpt2" or cut not in _CUTS:
            raise CheckpointError(
                f"{self.name} has a tokenizer of the kind {short(kind)}, {short(cut)}; of GGUF files this "
                f"engine reads those of the kind 'gpt2', {' or '.join(map(repr, _CUTS))}."
            )
        tokens, kinds = self._tokens(), self._said.get("tokenizer.ggml.token_type") or []
        try:
            merges = [tuple(merge.split(" ", 1)) for merge in self._said.get("tokenizer.ggml.merges") or []]
            bpe = tokenizers.Tokenizer(
                models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
            )
        except Exception as error:  # the library raises a bare Exception
            raise CheckpointError(f"{self.name} has a broken vocabulary ({error}); copy it again.") from None
        bpe.pre_tokenizer = _CUTS[cut]()
        bpe.decoder = decoders.ByteLevel()
        for token, is_a in zip(tokens, kinds, strict=False):
            if is_a in (_CONTROL, _USER_DEFINED):
                bpe.add_tokens([AddedToken(token, special=is_a == _CONTROL, normalized=False)])
        return Tokenizer(bpe, self.name)


@lru_cache(maxsize=4)
def open_gguf(path: Path) -> GGUFFile:
    """The file at `path`, opened once: its vocabulary is a hundred thousand strings."""
    return GGUFFile(path)


@cache
def _stored_name(name: str) -> str:
    """llama.cpp's name of a tensor that Hugging Face calls `name`."""
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    _, _, layer, rest = name.split(".", 3)  # model.layers.3.self_attn.q_proj.weight
    return f"blk.{layer}.{_LAYER[rest]}"


def _rotate_half_order(matrix: Tensor, heads: int) -> Tensor:
    """Rows from pairs (2i, 2i + 1), as llama.cpp turns them, to pairs (i, i + head_dim / 2). [out, in]"""
    pairs: Tensor = matrix.reshape(heads, -1, 2, matrix.shape[1])
    return pairs.transpose(1, 2).reshape(matrix.shape)
