"""Two rounds as a pencil does them: fractions as long as they are that, floats from then on.

Written from the formulas alone, without the engine: what the page shows is held against this.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Number = Fraction | float
Row = list[Fraction]

LN2 = "ln2"


@dataclass(frozen=True)
class OnPaper:
    """`q`, `products` and `scores` are in units of ln 2, where that is the factor of W_Q."""

    ids: list[int]
    q: Row
    k: list[Row]
    v: list[Row]
    products: Row
    scores: Row
    weights: Sequence[Number]
    z: Sequence[Number]
    sum: Sequence[Number]
    logits: Sequence[Number]
    next: int


def times(row: Row, matrix: Sequence[Row]) -> Row:
    return [sum((x * line[j] for x, line in zip(row, matrix, strict=True)), Fraction(0)) for j in range(4)]


def dot(a: Sequence[Number], b: Row) -> Number:
    """A product with 0 is 0, and no rounding is left of it."""
    return sum((x * y for x, y in zip(a, b, strict=True) if y), Fraction(0))


def mix(weights: Sequence[Number], column: Row) -> Number:
    """The weights add up to 1, however they are rounded: what is the same in all rows stays as it is."""
    return column[0] if len(set(column)) == 1 else dot(weights, column)


def softmax(scores: Row, unit: str) -> list[Number]:
    top = max(scores)
    below = [score - top for score in scores]
    if unit == LN2 and all(power.denominator == 1 and power >= -60 for power in below):
        parts: list[Number] = [Fraction(2) ** int(power) for power in below]
    elif not any(below):
        parts = [Fraction(1) for _ in below]
    else:
        parts = [math.exp(float(power) * (math.log(2) if unit == LN2 else 1)) for power in below]
    total = sum(parts)
    return [part / total for part in parts]


def round_of(
    tables: dict[str, list[Row]],
    ids: list[int],
    unit: str,
    *,
    query: Row | None = None,
    divisor: int = 2,
) -> OnPaper:
    """The round that follows `ids`, all of it computed."""
    rows = [tables["embed"][i] for i in ids]
    k, v = ([times(row, tables[name]) for row in rows] for name in ("wk", "wv"))
    q = times(rows[-1], tables["wq"])
    products = [dot(query or q, key) for key in k]
    scores = [product / divisor for product in products]
    weights = softmax(scores, unit)
    z = [mix(weights, [value[j] for value in v]) for j in range(4)]
    added = [a + b for a, b in zip(z, rows[-1], strict=True)]
    logits = [dot(added, row) for row in tables["embed"]]
    best = max(map(float, logits))
    following = next(i for i, logit in enumerate(logits) if float(logit) >= best - 1e-9)
    return OnPaper(ids, q, k, v, products, scores, weights, z, added, logits, following)


def agrees(shown: str, value: Number) -> bool:
    """Is this what stands on paper for the value: the fraction itself, else it, rounded to three digits?"""
    text = shown.replace("−", "-")
    if isinstance(value, Fraction) and Fraction(text) == value:
        return True
    return "." in text and len(text.split(".")[1]) == 3 and abs(float(text) - float(value)) <= 0.5001e-3
