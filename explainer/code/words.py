"""What fills the sentences of the code page in."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.units import byte_size
from explainer.kit.words import count, terms, words_of
from kvengine.config import Config

WORDS = words_of(Path(__file__).with_name("words.toml"))


def line_words(key: str) -> dict[str, Any]:
    """What is said of a line, as templates; a line without words of its own gets general ones."""
    return dict(WORDS["line"].get(key, WORDS["line"]["other"]))


def line_values(
    config: Config, labels: Sequence[str], next_label: str, *, layer: int, kv_bytes: int, kv_times: int
) -> dict[str, str]:
    """Every named value of the lines' sentences: `labels` are the step's tokens, its own the last.

    `kv_bytes` of K and V were read in a layer, in `kv_times` layers.
    """
    n = len(labels) - 1
    return {
        "token": labels[-1],
        "next": next_label,
        "n": f"{n:,}",
        "rows": f"{n + 1:,}",
        "earlier": count(n, "earlier row"),
        "are": "is" if n == 1 else "are",
        "layer": str(layer),
        "layers": count(config.n_layers, "layer"),
        "d_model": str(config.d_model),
        "head_dim": str(config.head_dim),
        "n_heads": str(config.n_heads),
        "n_kv_heads": str(config.n_kv_heads),
        "group": count(config.group_size, "query head"),
        "kv_bytes": byte_size(kv_bytes),
        "kv_all": byte_size(kv_bytes * kv_times),
        "kv_times": count(kv_times, "time"),
    }


@cache
def explained() -> dict[str, str]:
    """The terms that the page explains."""
    return terms(WORDS)
