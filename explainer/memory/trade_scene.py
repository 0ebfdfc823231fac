"""The table of the trade, filled in for this text and this model: counted, and measured once that is done."""

from collections.abc import Sequence
from typing import Any

from explainer.kit.units import milliseconds, times
from explainer.kit.words import count
from explainer.memory.words import WORDS, label, size, small, tell
from kvengine import Config
from kvengine.cost import naive_projections, pass_cost
from kvengine.hardware import Hardware
from kvengine.memory import FORMATS, Shape, kv_bytes
from kvengine.speed import points_of, total_seconds, verdict
from kvengine.timing import CACHED, NAIVE, Row

FP32 = FORMATS["fp32"]
#: Which page proves each line, what its address says there, and the heading it begins at.
PROOFS: dict[str, tuple[str, dict[str, str], str]] = {
    "next": ("walkthrough", {"stage": "3"}, ""),
    "order": ("avoided_work", {}, ""),
    "time": ("timing", {}, "sweep"),
    "total": ("timing", {}, "scale"),
    "whole": ("timing", {}, "sweep"),
    "memory": ("memory", {"part": "now"}, ""),
    "transient": ("code", {}, ""),
    "result": ("timing", {}, "precision"),
}
#: The lines that a clock has to fill in.
MEASURED = ("time", "whole", "result")


def scene(config: Config, n: int, rows: Sequence[Row], instead: str) -> dict[str, Any]:
    """For a text of `n` tokens whose last one is run now. Without measured `rows`, `instead` says why."""
    told = WORDS["trade"]
    values = _counted(config, n) | (_measured(rows, n) if rows else {})
    lines = []
    for key, (page, params, anchor) in PROOFS.items():
        known = bool(rows) or key not in MEASURED
        cells = [told[key][side].format(**values) if known else instead for side in ("with", "without")]
        line = {"name": told[key]["name"].format(**values), "with": cells[0], "without": cells[1]}
        lines.append(line | {"page": page, "params": params, "anchor": anchor})
    return {
        "rows": lines,
        "note": label("trade.note", **values) if rows else "",
        "values": values,
        "words": {name: told[name] for name in ("heading", "label", "lead", "columns", "see")},
    }


def _counted(config: Config, n: int) -> dict[str, str]:
    shape = Shape.of(config)
    cached = pass_cost(config, q_len=1, start=n - 1).multiplications
    naive = pass_cost(config, q_len=n).multiplications
    kept = kv_bytes(shape, n, FP32)
    return {
        "tokens": count(n, "token"),
        "n": f"{n:,}",
        "rows": f"{n:,}",
        "cached": f"{cached:,}",
        "naive": f"{naive:,}",
        "times": _times(naive / cached),
        "kept": size(kept),
        "each": size(shape.token_bytes(FP32)),
        "layer": size(kept / config.n_layers),
        "all": f"{naive_projections(n):,}",
    }


def _measured(rows: Sequence[Row], n: int) -> dict[str, str]:
    """`rows` are those of the lengths that were measured; the last is this text's."""
    last, told = rows[-1], WORDS["trade"]
    cached, naive = last.points[CACHED], last.points[NAIVE]
    lengths = ", ".join(str(row.length) for row in rows)
    totals = [total_seconds(points_of(rows, path), n) for path in (CACHED, NAIVE)]
    return {
        "cached_time": milliseconds(cached.median),
        "naive_time": milliseconds(naive.median),
        "ratio": _times(naive.median / cached.median),
        "verdict": told["verdict"][verdict(last)],
        "cached_total": milliseconds(totals[0]),
        "naive_total": milliseconds(totals[1]),
        "total_ratio": _times(totals[1] / totals[0]),
        "same": told["same" if all(row.same_token for row in rows) else "differs"].format(lengths=lengths),
        "difference": small(max(row.difference for row in rows)),
        "lengths": lengths,
    }


def machine_line(hardware: Hardware, rows: Sequence[Row]) -> str:
    return tell(
        "trade.machine",
        name=hardware.name,
        threads=count(hardware.threads, "thread"),
        lengths=", ".join(str(row.length) for row in rows),
    )


def _times(ratio: float) -> str:
    return times(ratio).removesuffix("×")
