"""What a KV cache takes, for any model: the formula, number formats, and what a memory's speed allows.

    bytes = 2 · batch · n_layers · n_kv_heads · head_dim · tokens · bytes per number

A layer with a sliding window keeps min(tokens, window) of them. Latent attention (DeepSeek's MLA) keeps one
short row a layer from which keys and values of all heads are rebuilt: no factor 2, and no heads.
`allocate` makes the tensors that the formula counts. Sources of the models' numbers: `presets.toml`.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kvengine.config import Config
from kvengine.errors import KVEngineError, spoken

#: More than these is no model that anybody could run: a slip of the hand, and told as one.
MOST_TOKENS, MOST_BATCH, MOST_PARAMETERS = 10**9, 10**6, 10**14
_MOST = {
    "number of layers": 10_000,
    "number of heads": 100_000,
    "number of KV heads": 100_000,
    "head_dim": 100_000,
    "d_model": 10_000_000,
}

#: Bytes that `allocate` takes at most: enough for every shape that a page lets a learner drag to.
MOST_ALLOCATED = 256 * 2**20


class SizeError(KVEngineError):
    """Numbers of which no cache can be made."""


@dataclass(frozen=True)
class Format:
    """How a number is stored. Where there are scales, every `group` numbers of a row share one."""

    name: str
    bits: int
    dtype: torch.dtype
    group: int = 0
    scale_bits: int = 0

    @property
    def bits_per_number(self) -> float:
        """With a full group's share of its scale: 8.5 for int8, 4.5 for int4."""
        return float(self.bits + (self.scale_bits / self.group if self.group else 0))

    def row_bytes(self, width: int) -> int:
        """Bytes of a row of `width` numbers and its scales; a group that is not full has a scale too."""
        scales = math.ceil(width / self.group) * self.scale_bits // 8 if self.group else 0
        return math.ceil(width * self.bits / 8) + scales


#: int8 and int4 as llama.cpp stores them (q8_0, q4_0): groups of 32 numbers with a scale of 16 bits each.
FORMATS = {
    fmt.name: fmt
    for fmt in (
        Format("fp32", 32, torch.float32),
        Format("bf16", 16, torch.bfloat16),
        Format("fp8", 8, torch.float8_e4m3fn),
        Format("int8", 8, torch.int8, group=32, scale_bits=16),
        Format("int4", 4, torch.uint8, group=32, scale_bits=16),  # two numbers in a byte
    )
}


@dataclass(frozen=True)
class Shape:
    """What fixes the size of a model's cache. `head_dim` is a number of its own, never d_model / n_heads.

    `n_local` layers see the last `window` tokens alone. `latent` has the widths of the rows that latent
    attention keeps of a token in each layer, and `expanded` those of one head's key and value without it.
    `d_model` 0 is not known. Raises `SizeError` where the numbers contradict each other.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_model: int = 0
    window: int = 0
    n_local: int = 0
    latent: tuple[int, ...] = ()
    expanded: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        numbers = {
            "number of layers": self.n_layers,
            "number of heads": self.n_heads,
            "number of KV heads": self.n_kv_heads,
            "head_dim": self.head_dim,
            "d_model": self.d_model or 1,
        }
        for name, value in numbers.items():
            within(name, value, _MOST[name])
        if self.n_kv_heads > self.n_heads:
            raise SizeError(
                f"{self.n_kv_heads} KV heads are more than the {self.n_heads} query heads that read them; "
                "a model has at most one KV head for each query head."
            )
        if self.n_heads % self.n_kv_heads:
            raise SizeError(
                f"{self.n_heads} query heads cannot share {self.n_kv_heads} KV heads evenly: "
                "the number of heads must be a multiple of that of KV heads."
            )
        if not 0 <= self.n_local <= self.n_layers:
            raise SizeError(f"{self.n_local} of {self.n_layers} layers cannot have a window; choose fewer.")
        if self.n_local:
            within("window", self.window, MOST_TOKENS)

    @classmethod
    def of(cls, config: Config) -> "Shape":
        """The shape of a model that this engine runs."""
        c = config
        return cls(c.n_layers, c.n_heads, c.n_kv_heads, c.head_dim, c.d_model)

    @property
    def kind(self) -> str:
        """MHA, GQA, MQA or MLA."""
        if self.latent:
            return "MLA"
        if self.n_kv_heads == self.n_heads:
            return "MHA"
        return "MQA" if self.n_kv_heads == 1 else "GQA"

    @property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """What one layer keeps of one token: (how many rows, numbers in each)."""
        if self.latent:
            return tuple((1, width) for width in self.latent)
        return ((2 * self.n_kv_heads, self.head_dim),)

    def layer_bytes(self, fmt: Format) -> int:
        """Bytes of one token in one layer."""
        return sum(count * fmt.row_bytes(width) for count, width in self.rows)

    def token_bytes(self, fmt: Format) -> int:
        """Bytes of one token in all layers."""
        return self.n_layers * self.layer_bytes(fmt)


def kv_bytes(shape: Shape, tokens: int, fmt: Format, *, batch: int = 1) -> int:
    """Bytes of the cache of `batch` sequences with `tokens` tokens each. Raises `SizeError` out of range."""
    within("context", tokens, MOST_TOKENS, "tokens")
    within("batch", batch, MOST_BATCH, "sequences")
    rows = (shape.n_layers - shape.n_local) * tokens + shape.n_local * min(tokens, shape.window or tokens)
    return batch * rows * shape.layer_bytes(fmt)


def outweighs_at(shape: Shape, fmt: Format, weights: int, *, batch: int = 1) -> int | None:
    """The fewest tokens of each sequence at which the caches are larger than `weights` bytes, if any are."""
    low, high = 0, MOST_TOKENS
    if kv_bytes(shape, high, fmt, batch=batch) <= weights:
        return None
    while high - low > 1:  # the cache never shrinks with the text
        middle = (low + high) // 2
        low, high = (middle, high) if kv_bytes(shape, middle, fmt, batch=batch) <= weights else (low, middle)
    return high


def most_sequences(memory: float, weights: int, sequence: int) -> int:
    """How many sequences of `sequence` bytes fit into `memory` bytes beside the weights."""
    return max(0, math.floor((memory - weights) / sequence))


def decode_bound(bandwidth: float, weights: int, sequence: int, *, batch: int = 1) -> float:
    """Tokens per second that no decode can exceed where memory gives `bandwidth` bytes per second.

    A step reads the weights once, for all, and each sequence's own cache. An upper bound: it counts neither
    arithmetic, nor activations, nor any waiting. For experts, `weights` are those of one token's.
    """
    return batch * bandwidth / (weights + batch * sequence)


def wrong_formulas(shape: Shape, tokens: int, fmt: Format, *, batch: int = 1) -> dict[str, int]:
    """What the common mistakes give, in bytes, by name; only those that mean something for this model."""

    def size(changed: Shape) -> int:
        return kv_bytes(changed, tokens, fmt, batch=batch)

    right = size(shape)
    wrong: dict[str, int] = {"bits": 8 * right}
    if shape.latent:
        rows = shape.n_heads * sum(fmt.row_bytes(width) for width in shape.expanded)
        wrong |= {"two": 2 * right, "expanded": right // shape.layer_bytes(fmt) * rows}
        return wrong
    wrong |= {"no_two": right // 2, "heads": size(replace(shape, n_kv_heads=shape.n_heads))}
    if shape.d_model:
        wrong["hidden"] = size(replace(shape, n_heads=1, n_kv_heads=1, head_dim=shape.d_model))
        if shape.d_model >= shape.n_heads:
            wrong["derived"] = size(replace(shape, head_dim=shape.d_model // shape.n_heads))
    if shape.n_local:
        wrong["window"] = size(replace(shape, n_local=0))
    return wrong


def allocate(shape: Shape, tokens: int, fmt: Format, *, batch: int = 1) -> tuple[Tensor, ...]:
    """The tensors of such a cache: K and V [n_layers, batch, n_kv_heads, tokens, head_dim], and their scales.

    Zeros: what counts is what they take. Windows and latent rows are not made here. Raises `SizeError` for
    those, and for more than `MOST_ALLOCATED` bytes.
    """
    size = kv_bytes(shape, tokens, fmt, batch=batch)
    if shape.n_local or shape.latent:
        raise SizeError(
            "Only plain caches are allocated here; choose a model without windows or latent rows."
        )
    if size > MOST_ALLOCATED:
        raise SizeError(
            f"That cache takes {size:,} bytes, more than the {MOST_ALLOCATED:,} allocated here; shrink it."
        )
    rows = (shape.n_layers, batch, shape.n_kv_heads, tokens)
    packed = math.ceil(shape.head_dim * fmt.bits / 8 / fmt.dtype.itemsize)
    tensors = [torch.zeros(*rows, packed, dtype=fmt.dtype) for _ in "kv"]
    if fmt.group:
        scales = math.ceil(shape.head_dim / fmt.group)
        tensors += [torch.zeros(*rows, scales, dtype=torch.float16) for _ in "kv"]
    return tuple(tensors)


def within(name: str, value: int, most: int, unit: str = "") -> None:
    """Raise `SizeError` unless 1 <= value <= most."""
    if not 1 <= value <= most:
        of = f" {unit}" if unit else ""
        raise SizeError(f"The {name} is {spoken(value)}{of}; it must be 1 to {most:,}.")
