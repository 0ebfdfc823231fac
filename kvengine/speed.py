"""What measured rows say: totals, ratios, where the cache loses, and a model of where the time goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kvengine.config import Config
from kvengine.cost import Cost, cache_bytes, naive_projections, pass_cost, weight_floats
from kvengine.timing import CACHED, NAIVE, PREFILL, Point, Row


def step_cost(config: Config, path: str, length: int) -> Cost:
    """Multiplications of the step that runs the `length`-th token; a prefill's are those of a naive step."""
    if path in (NAIVE, PREFILL):
        return pass_cost(config, q_len=length)
    return pass_cost(config, q_len=1, start=length - 1)


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
class Fit:
    """seconds = fixed + multiplications × per_multiplication + bytes of K and V × per_byte, none negative.

    The weights are read by every pass alike, whatever its length, so that time is part of `fixed`.
    """

    fixed: float
    per_multiplication: float
    per_byte: float
    residuals: dict[tuple[str, int], float]  # (path, length) -> (fitted - measured) / measured

    def parts(
        self, config: Config, path: str, length: int, bytes_per_float: int
    ) -> tuple[float, float, float]:
        """The three terms of one step, in seconds: fixed, multiplying, reading K and V."""
        work, read = (
            step_cost(config, path, length).multiplications,
            kv_bytes(config, length, bytes_per_float),
        )
        return self.fixed, work * self.per_multiplication, read * self.per_byte


def fit(config: Config, rows: Sequence[Row], bytes_per_float: int) -> Fit | None:
    """Non-negative least squares over the medians of both paths together; None for fewer than three lengths.

    Every point counts by its relative error, or the long naive steps would outvote all others. With three
    terms, trying every subset of them is the whole method: the best one without a negative term is the
    optimum.
    """
    if len(rows) < 3:
        return None
    points = [point for path in (CACHED, NAIVE) for point in points_of(rows, path)]
    measured = np.array([point.median for point in points])
    terms = np.array(
        [
            [
                1.0,
                step_cost(config, p.path, p.length).multiplications,
                kv_bytes(config, p.length, bytes_per_float),
            ]
            for p in points
        ]
    )
    relative = terms / measured[:, None]
    scale = relative.max(axis=0)  # the columns differ by nine orders of magnitude
    best, least = np.zeros(3), np.inf
    for size in (1, 2, 3):
        for subset in combinations(range(3), size):
            chosen = list(subset)
            solution = np.linalg.lstsq(relative[:, chosen] / scale[chosen], np.ones(len(points)), rcond=None)[
                0
            ]
            coefficients = np.zeros(3)
            coefficients[chosen] = solution / scale[chosen]
            error = float(((relative @ coefficients - 1) ** 2).sum())
            if (solution >= 0).all() and error < least:
                best, least = coefficients, error
    fitted = relative @ best - 1
    residuals = {(p.path, p.length): float(r) for p, r in zip(points, fitted, strict=True)}
    return Fit(float(best[0]), float(best[1]), float(best[2]), residuals)
