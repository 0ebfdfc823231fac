"""What measured rows say: totals, ratios, where the cache loses, and a model of where the time goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from kvengine.config import Config
from kvengine.cost import (
    Cost,
    cache_bytes,
    masked_multiplications,
    naive_projections,
    pass_cost,
    weight_floats,
)
from kvengine.timing import CACHED, NAIVE, PREFILL, Point, Row


@lru_cache(maxsize=8192)
def step_cost(config: Config, path: str, length: int) -> Cost:
    """Multiplications of the step that runs the `length`-th token; a prefill's are those of a naive step."""
    if path in (NAIVE, PREFILL):
        return pass_cost(config, q_len=length)
    return pass_cost(config, q_len=1, start=length - 1)


def step_masked(config: Config, path: str, length: int) -> int:
    """How many of a step's multiplications make scores, and weighted values, that the mask then hides."""
    return masked_multiplications(config, q_len=length) if path in (NAIVE, PREFILL) else 0


def step_projections(path: str, length: int) -> int:
    """Rows projected to q, k and v in that step, per layer."""
    return length if path in (NAIVE, PREFILL) else 1


def step_bytes(config: Config, length: int, bytes_per_float: int) -> int:
    """Bytes a step must read at least: every weight, and K and V of the whole text.

    Both paths read the same: the cached one out of its cache, the naive one out of what it has just computed.
    What `torch.cat` copies, and activations, come on top.
    """
    return weight_floats(config) * bytes_per_float + kv_bytes(config, length, bytes_per_float)


def kv_bytes(config: Config, length: int, bytes_per_float: int) -> int:
    """Bytes of K and V of a text of that length."""
    return cache_bytes(config, length, bytes_per_float=bytes_per_float)


def total_projections(path: str, length: int) -> int:
    """Rows projected, per layer, to run a text token by token: 1 + 2 + … + n, or n."""
    return naive_projections(length) if path == NAIVE else length


def total_seconds(points: Sequence[Point], length: int) -> float:
    """Time to run `length` tokens one by one: median steps, linear between measured lengths, summed."""
    ordered = sorted(points, key=lambda point: point.length)
    steps = np.interp(np.arange(1, length + 1), [p.length for p in ordered], [p.median for p in ordered])
    return float(steps.sum())


def points_of(rows: Sequence[Row], path: str) -> list[Point]:
    """One path's points, by length."""
    return [row.points[path] for row in sorted(rows, key=lambda row: row.length) if path in row.points]


def verdict(row: Row) -> str:
    """Which path is faster at this length, "cached" or "naive"; "tie" where the quartile bands overlap."""
    cached, naive = row.points[CACHED], row.points[NAIVE]
    if cached.q25 > naive.q75:
        return NAIVE
    return CACHED if cached.q75 < naive.q25 else "tie"


@dataclass(frozen=True)
class Estimate:
    """A fitted number and its standard error, both 0 where the term does not show in the times at all."""

    value: float
    error: float


@dataclass(frozen=True)
class Fit:
    """seconds = fixed + multiplications × per_multiplication + tokens in the text × per_token.

    No term is negative. The weights are read by every pass alike, whatever its length, so that time is part
    of `fixed`. What grows with the text and is no multiplication (the cache that is read, the loops over it)
    is in `per_token`. The errors take the misses for noise of the same relative size everywhere.
    """

    fixed: Estimate
    per_multiplication: Estimate
    per_token: Estimate
    residuals: dict[tuple[str, int], float]  # (path, length) -> (fitted - measured) / measured

    def parts(self, config: Config, path: str, length: int) -> tuple[float, float, float]:
        """The three terms of one step, in seconds: fixed, multiplying, growing with the history."""
        _, work, tokens = _terms(config, path, length)
        return self.fixed.value, work * self.per_multiplication.value, tokens * self.per_token.value


def fit(config: Config, rows: Sequence[Row]) -> Fit | None:
    """Non-negative least squares over the medians of both paths together; None for fewer than three lengths.

    Every point counts by its relative error, or the long naive steps would outvote all others. With three
    terms, trying every subset of them is the whole method: the best one without a negative term is the
    optimum.
    """
    if len(rows) < 3:
        return None
    points = [point for path in (CACHED, NAIVE) for point in points_of(rows, path)]
    measured = np.array([point.median for point in points])
    relative = np.array([_terms(config, p.path, p.length) for p in points]) / measured[:, None]
    scale = relative.max(axis=0)  # the columns differ by nine orders of magnitude
    found, errors, least = np.zeros(3), np.zeros(3), np.inf
    for size in (1, 2, 3):
        for subset in combinations(range(3), size):
            chosen = list(subset)
            columns = relative[:, chosen] / scale[chosen]
            solution = np.linalg.lstsq(columns, np.ones(len(points)), rcond=None)[0]
            missed = float(((columns @ solution - 1) ** 2).sum())
            if (solution >= 0).all() and missed < least:
                variance = missed / (len(points) - size) * np.linalg.pinv(columns.T @ columns).diagonal()
                found, errors, least = np.zeros(3), np.zeros(3), missed
                found[chosen] = solution / scale[chosen]
                errors[chosen] = np.sqrt(variance) / scale[chosen]
    misses = relative @ found - 1
    residuals = {(p.path, p.length): float(miss) for p, miss in zip(points, misses, strict=True)}
    terms = [Estimate(float(value), float(error)) for value, error in zip(found, errors, strict=True)]
    return Fit(terms[0], terms[1], terms[2], residuals)


def _terms(config: Config, path: str, length: int) -> tuple[float, float, float]:
    return 1.0, float(step_cost(config, path, length).multiplications), float(length)
