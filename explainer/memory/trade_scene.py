"""The table of the trade, filled in for this text and this model: counted, and measured once that is done."""

from collections.abc import Sequence
from typing import Any

from explainer.kit.places import place
from explainer.kit.units import milliseconds, times
from explainer.kit.words import count
from explainer.memory.words import WORDS, label, size, small, tell
from kvengine import Config
from kvengine.cost import naive_projections, pass_cost
from kvengine.hardware import Hardware
from kvengine.memory import FORMATS, Shape, kv_bytes
from kvengine.speed import points_of, total_seconds, verdict
from kvengine.timing import CACHED, NAIVE, Row

#: A place of kit/places.toml, for a scene to make a door of.
Place = dict[str, Any]

FP32 = FORMATS["fp32"]
SIDES = ("with", "without")
#: The lines that a clock has to fill in.
MEASURED = ("time", "whole", "result")


def scene(config: Config, n: int, rows: Sequence[Row], instead: str) -> dict[str, Any]:
    """For a text of `n` tokens whose last one is run now. Without measured `rows`, `instead` says why."""
    told = WORDS["trade"]
    values = _counted(config, n) | (_measured(rows, n) if rows else {})
    lines = []
    for key, proofs in _proofs(n).items():
        known = bool(rows) or key not in MEASURED
        said = [told[key][side].format(**values) if known else instead for side in SIDES]
        cells = [{"text": text, "proof": proof} for text, proof in zip(said, proofs, strict=True)]
        lines.append({"name": told[key]["name"].format(**values), "cells": cells})
    return {
        "rows": lines,
        "note": label("trade.note", **values) if rows else "",
        "values": values,
        "words": {name: told[name] for name in ("heading", "label", "lead", "columns")},
    }


def _proofs(n: int) -> dict[str, tuple[Place, Place]]:
    """Where each line's two cells are proved, for a text of `n` tokens: one look, or one click on Start."""
    again = place("all_again")
    sweep = _place("timing", "sweep", {"longest": f"{n}"}, "sweep")
    whole = _place("timing", "whole", {"longest": f"{n}", "view": "2"}, "sweep")
    drawn = place("projections") | {"params": {"scale": f"{n}"}}
    code = _place("code", "code", {"at": "k_all"})
    return {
        "next": (place("keep_k_and_v"), again),
        "order": (place("score"), again),
        "time": (sweep, sweep),
        "total": (drawn, drawn),
        "whole": (whole, whole),
        "memory": (place("growth") | {"params": {"part": "now", "grown": "1"}}, again),
        "transient": (code, code),
        "result": (sweep, sweep),
    }


def _place(page: str, at: str, params: dict[str, str] | None = None, anchor: str = "") -> Place:
    return {"page": page, "params": params or {}, "anchor": anchor, "at": label(f"trade.at.{at}")}


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
