"""The table of the trade, filled in for this text and this model."""

from typing import Any

from explainer.kit.units import times
from explainer.kit.words import count
from explainer.memory.words import WORDS, size
from kvengine import Config
from kvengine.cost import naive_projections, pass_cost
from kvengine.memory import FORMATS, Shape, kv_bytes

FP32 = FORMATS["fp32"]
#: Which page proves each line, and what its address says there.
PROOFS: dict[str, tuple[str, dict[str, str]]] = {
    "next": ("avoided_work", {}),
    "order": ("walkthrough", {"stage": "3"}),
    "time": ("timing", {}),
    "memory": ("memory", {"part": "now"}),
    "transient": ("code", {}),
    "total": ("timing", {}),
    "result": ("start", {}),
}


def scene(config: Config, n: int) -> dict[str, Any]:
    """For a text of `n` tokens whose last one is run now."""
    shape = Shape.of(config)
    cached = pass_cost(config, q_len=1, start=n - 1).multiplications
    naive = pass_cost(config, q_len=n).multiplications
    kept = kv_bytes(shape, n, FP32)
    values = {
        "tokens": count(n, "token"),
        "n": f"{n:,}",
        "rows": f"{n:,}",
        "cached": f"{cached:,}",
        "naive": f"{naive:,}",
        "times": times(naive / cached).removesuffix("×") + " times",
        "kept": size(kept),
        "each": size(shape.token_bytes(FP32)),
        "layer": size(kept / config.n_layers),
        "all": f"{naive_projections(n):,}",
    }
    table = WORDS["trade"]
    return {
        "rows": [
            {
                "name": table[key]["name"].format(**values),
                "with": table[key]["with"].format(**values),
                "without": table[key]["without"].format(**values),
                "page": page,
                "params": params,
            }
            for key, (page, params) in PROOFS.items()
        ],
        "values": values,
        "words": {name: table[name] for name in ("heading", "label", "lead", "columns", "see")},
    }
