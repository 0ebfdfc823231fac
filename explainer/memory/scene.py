"""What the browser gets of the cache that grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.encode import token_label
from explainer.memory.words import WORDS, explained
from kvengine import Config
from kvengine.growth import Growth
from kvengine.memory import FORMATS, Shape, SizeError, allocate, kv_bytes

#: Where each factor of the formula can be dragged to; the running model's own value is added.
STOPS = {
    "batch": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    "layers": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    "heads": (1, 2, 4, 8, 16, 32),
    "dim": (16, 32, 64, 128, 256),
}

#: What any factor can be: sizes.js knows it too.
MOST = 8192

TextsOf = Callable[[Sequence[int]], list[str]]


@dataclass(frozen=True)
class Dragged:
    """A shape that was dragged to, as the address says it: "layers.heads.dim.tokens.batch.format"."""

    layers: int
    heads: int
    dim: int
    tokens: int
    batch: int
    fmt: str

    @classmethod
    def read(cls, said: str) -> "Dragged":
        """Raises `SizeError` for what is no shape."""
        parts = said.split(".")
        try:
            numbers = [int(part) for part in parts[:5]]
            if len(parts) != 6 or parts[5] not in FORMATS:
                raise ValueError
        except ValueError:
            raise SizeError(
                "The shape in the address cannot be read; it is six values with points between them: "
                f"layers, KV heads, head_dim, tokens, batch, and one of {', '.join(FORMATS)}."
            ) from None
        if not all(1 <= number <= MOST for number in numbers):
            raise SizeError(f"The numbers of a shape are 1 to {MOST:,} each.")
        layers, heads, dim, tokens, batch = numbers
        return cls(layers, heads, dim, tokens, batch, parts[5])


def measured(said: str) -> dict[str, Any]:
    """What tensors of a shape take that was dragged to: allocated now, and let go again."""
    try:
        d = Dragged.read(said)
        tensors = allocate(Shape(d.layers, d.heads, d.heads, d.dim), d.tokens, FORMATS[d.fmt], batch=d.batch)
    except SizeError as error:
        return {"said": said, "error": str(error)}
    shapes: dict[str, int] = {}
    for tensor in tensors:
        name = f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
        shapes[name] = shapes.get(name, 0) + 1
    told = " and ".join(f"{count} × {name}" for name, count in shapes.items())
    return {"said": said, "bytes": sum(tensor.nbytes for tensor in tensors), "tensors": told, "error": ""}


def scene(found: Growth, config: Config, texts_of: TextsOf) -> dict[str, Any]:
    """The text as it grows, with the bytes of the cache after each pass, and every block's strength."""
    texts = texts_of([*found.prompt_ids, *found.token_ids])
    shape, fmt, n = Shape.of(config), FORMATS["fp32"], len(found.prompt_ids)
    own = {
        "batch": 1,
        "layers": config.n_layers,
        "heads": config.n_kv_heads,
        "dim": config.head_dim,
    }
    return {
        "prompt_length": n,
        "texts": texts,
        "labels": [token_label(text) for text in texts],
        "used": list(found.used),
        "allocated": found.allocated,
        "room": found.strength.shape[-1],
        "strength": found.strength,
        "own": own,
        "longest": config.max_seq_len,
        "stops": {name: sorted({*stops, own[name]}) for name, stops in STOPS.items()},
        "formats": {
            f.name: {"bits": f.bits, "group": f.group, "scale_bits": f.scale_bits} for f in FORMATS.values()
        },
        "formula": [kv_bytes(shape, n + i, fmt) for i in range(len(found.used))],
        "questions": [_question(n + i, size, shape.token_bytes(fmt)) for i, size in enumerate(found.used)],
        "words": WORDS["now"],
        "terms": explained("now"),
    }


def _question(tokens: int, size: int, token: int) -> dict[str, Any]:
    """Asked before the token after `tokens` of them, at which the cache holds `size` bytes."""

    def option(value: int, why: str) -> Option:
        return Option(f"{value:,} bytes", why, value)

    return {
        "asked": asked(
            "doubling", option(size + token, "right"), option(2 * size, "double"), option(size, "same")
        ),
        "values": {"n": f"{tokens:,}", "bytes": f"{size:,}", "token_bytes": f"{token:,}"},
    }
