"""A step of generation, line by line with the cache and without it, as the data that the code page draws."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explainer.code.listing import files
from explainer.code.words import WORDS, explained, line_values, line_words
from explainer.kit.encode import token_label
from kvengine.compare import agree
from kvengine.config import Config
from kvengine.lines import Lines, Ran, Value
from kvengine.source import FUNCTIONS, functions

#: Rows and columns of a tensor that are drawn; of more rows the first and the last ones, which the
#: browser knows from the shape.
MOST_ROWS, FIRST_ROWS, MOST_COLUMNS = 16, 2, 16

#: What a row is, as `state` says it.
FRESH, READ, AGAIN, DIFFERS, EMPTY, GIVEN = range(6)

#: The line from which on a step has the K and V of the whole history, computed or read.
READ_KV = "__call__.k_all"

#: Where the values are a part of the model's own tables and nothing is computed.
_TABLES = ("cos", "sin")


@dataclass(frozen=True)
class Runs:
    """One step with the cache and without it, and the step before it without, all of one layer's lines."""

    cached: Lines
    naive: Lines
    before: Lines  # without the cache, one token earlier: what the naive step computes again


def scene(
    runs: Runs, config: Config, texts: Sequence[str], text_of: Callable[[int], str], *, layer: int, head: int
) -> dict[str, Any]:
    """Everything to step through the lines with: the listing, what each line made, and what it cost.

    `texts` are those of the tokens that the step has, its own the last.
    """
    labels = [token_label(text) for text in texts]
    following = token_label(text_of(runs.cached.step.token_id))
    naive = {_place(ran): ran for ran in runs.naive.ran}
    before = {_place(ran): ran for ran in runs.before.ran}
    memory = _memory(runs.cached, head // config.group_size)
    read = next(ran for ran in runs.cached.ran if ran.key == READ_KV)
    stops: list[dict[str, Any]] = []
    for ran in runs.cached.ran:
        other = naive.get(_place(ran))
        found = _Stop(ran, other, before.get(_place(ran)), config, head, text_of, memory)
        last = ran.node.end_lineno or ran.node.lineno
        stops.append(
            {
                "module": ran.function.module,
                "first": ran.node.lineno,
                "last": last,
                "key": ran.key,
                "times": ran.times,
                "mult": [ran.flops // 2, other.flops // 2 if other else None],
                "values": found.values(),
                # with all that it calls
                **({"inside": True} if ran.function.name == "generate" and ran.flops > 0 else {}),
            }
        )
    return {
        "layer": layer,
        "head": head,
        "n_layers": config.n_layers,
        "labels": labels,
        "texts": ["", *texts[1:]],
        "values": line_values(
            config, labels, following, layer=layer, kv_bytes=_bytes(read), kv_times=read.times
        ),
        "ran": {module: _marks(module, runs) for module in FUNCTIONS},
        "stops": stops,
        "max_seq_len": config.max_seq_len,
    }


def _bytes(ran: Ran) -> int:
    """What all the tensors take that a line made."""
    return sum(value.nbytes for value in ran.values.values() if isinstance(value, Tensor))


def _place(ran: Ran) -> tuple[str, int]:
    return ran.function.module, ran.node.lineno


def wording() -> dict[str, Any]:
    """What no run changes: the source, and what is said, with holes for its values."""
    said = {key: value for key, value in WORDS.items() if key not in ("line", "change", "parts")}
    return {
        "files": files(),
        "line": WORDS["line"],
        "words": said,
        "terms": explained(),
        "first_rows": FIRST_ROWS,
    }


def _marks(module: str, runs: Runs) -> dict[str, list[int]]:
    """The lines of a module that ran with the cache, without it, both times or never."""
    statements = {line for function in functions(module) for line in function.statements}
    documented = {line for function in functions(module) for line in function.doc}
    found: dict[str, list[int]] = {"both": [], "cached": [], "naive": [], "never": []}
    for line in sorted(statements - documented):
        cached, naive = ((module, line) in run.executed for run in (runs.cached, runs.naive))
        how = "both" if cached and naive else "cached" if cached else "naive" if naive else "never"
        found[how].append(line)
    return found


class _Stop:
    """What a line made, in three runs."""

    def __init__(
        self,
        cached: Ran,
        naive: Ran | None,
        before: Ran | None,
        config: Config,
        head: int,
        text_of: Callable[[int], str],
        memory: Sequence[np.ndarray],
    ) -> None:
        self.cached, self.naive, self.before = cached, naive, before
        self.config, self.head = config, head
        self.kv_head = head // config.group_size
        self.text_of = text_of
        self.memory = memory

    def values(self) -> list[dict[str, Any]]:
        return [self._value(name, made) for name, made in self.cached.values.items()]

    def _value(self, name: str, made: Value) -> dict[str, Any]:
        other = self.naive.values.get(name) if self.naive else None
        earlier = self.before.values.get(name) if self.before else None
        found: dict[str, Any] = {"name": name, "cached": self._shown(made, None, cached=True, name=name)}
        if other is not None:
            found["naive"] = self._shown(other, earlier, cached=False, name=name)
        if isinstance(made, Tensor) and isinstance(other, Tensor):
            found["difference"] = _difference(made, other)
        return found

    def _shown(self, value: Value, earlier: Value | None, *, cached: bool, name: str) -> dict[str, Any]:
        if isinstance(value, int):
            return {"kind": "number", "text": f"{value:,}"}
        if isinstance(value, tuple):
            return self._tokens(value)
        shape = {"shape": list(value.shape)} | self._part(value)
        mask = value.dtype == torch.bool
        if not value.dtype.is_floating_point and not mask:
            return self._tokens(value.flatten().tolist()) | shape
        matrix = self._matrix(value)
        states = self._states(matrix, earlier, cached=cached, name=name)
        rows = _rows(len(matrix))
        return shape | {
            "kind": "mask" if mask else "tensor",
            "cells": matrix[rows, :MOST_COLUMNS].astype(np.float32),
            "state": [int(states[row]) for row in rows],
        }

    def _tokens(self, token_ids: Sequence[int]) -> dict[str, Any]:
        labels = [token_label(self.text_of(token_id)) for token_id in token_ids[-MOST_ROWS:]]
        if (
            token_ids[0] == 0 and len(token_ids) <= MOST_ROWS
        ):  # as the other pages call the marker that every text begins with
            labels[0] = "(start)"
        return {"kind": "tokens", "labels": labels, "more": max(0, len(token_ids) - MOST_ROWS)}

    def _part(self, value: Tensor) -> dict[str, Any]:
        """Which matrix of the tensor is drawn."""
        if value.ndim != 4:
            return {}
        heads, c = value.shape[1], self.config
        if heads == c.n_heads:
            return {"part": f"head {self.head}", "index": self.head}
        if heads == c.n_kv_heads:
            return {"part": f"KV head {self.kv_head}", "index": self.kv_head}
        return {"part": f"the rows of query head {self.head}", "index": self.head}

    def _matrix(self, value: Tensor) -> np.ndarray:
        array = value.float().numpy(force=True)
        if array.ndim == 4:
            heads = array.shape[1]
            own = self.head if heads != self.config.n_kv_heads else self.kv_head
            array = array[:, own]
        if array.ndim == 3:
            array = array[0]
        found: np.ndarray = array if array.ndim == 2 else array.reshape(1, -1)
        return found

    def _states(self, matrix: np.ndarray, earlier: Value | None, *, cached: bool, name: str) -> np.ndarray:
        states = np.full(len(matrix), FRESH)
        if name in _TABLES:
            return np.full(len(matrix), GIVEN)
        if len(matrix) == 1:
            return states
        if cached:
            # Read is what equals the cache's memory as it was before this step, to the last bit.
            for kept in self.memory:
                if kept.shape == matrix.shape:
                    states[:-1][(kept == matrix).all(axis=1)[:-1]] = READ
            if not matrix[-1].any():  # memory that nothing has been written to
                states[-1] = EMPTY
        elif isinstance(earlier, Tensor):
            was = self._matrix(earlier)
            width = min(was.shape[1], matrix.shape[1])
            same = _equal(matrix[: len(was), :width], was[:, :width])
            states[: len(was)] = np.where(same, AGAIN, DIFFERS)
        return states


def _memory(cached: Lines, kv_head: int) -> list[np.ndarray]:
    """The filled memory of the layer, K and V, as it was before anything was written in this step."""
    written = [ran for ran in cached.ran if ran.function.name == "update"]
    first: dict[str, Tensor] = {}
    for ran in written:
        for name, value in ran.values.items():
            if isinstance(value, Tensor):
                first.setdefault(name, value)
    return [value[0, kv_head].numpy(force=True) for value in first.values()]


def _equal(now: np.ndarray, was: np.ndarray) -> np.ndarray:
    """Row by row: equal but for rounding."""
    return np.asarray(agree(now, was).all(axis=1))


def _difference(cached: Tensor, naive: Tensor) -> float | None:
    """The largest difference between what both runs have of the cached one's rows, all heads together."""
    if not cached.dtype.is_floating_point or cached.shape[-1] != naive.shape[-1] or cached.ndim != naive.ndim:
        return None
    ours = cached.numpy(force=True)
    theirs = naive.numpy(force=True)
    if ours.ndim > 1:
        theirs = theirs[..., -ours.shape[-2] :, :]
    if ours.shape != theirs.shape:
        return None
    with np.errstate(invalid="ignore"):
        return float(np.where(ours == theirs, 0, np.abs(ours - theirs)).max())


def _rows(count: int) -> list[int]:
    """The rows that are drawn."""
    if count <= MOST_ROWS:
        return list(range(count))
    return [*range(FIRST_ROWS), *range(count - MOST_ROWS + FIRST_ROWS, count)]


def stop_called(stops: Sequence[Mapping[str, Any]], name: str) -> int:
    """The first line that makes what has this name in the code, counted from 1; 0 if none does."""
    found = (i for i, stop in enumerate(stops, start=1) if stop["key"].split(".", 1)[1] == name)
    return next(found, 0)


def stops_of_stages(stops: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """The first line of each stage of the walkthrough, counted from 1."""
    found: dict[int, int] = {}
    for i, stop in enumerate(stops, start=1):
        if stage := line_words(stop["key"]).get("stage"):
            found.setdefault(stage, i)
    return found
