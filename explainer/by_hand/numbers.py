"""Numbers for paper: read from what a learner writes, and written as a fraction where they are one."""

import math
import re
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from explainer.kit.address import short

#: What one can still do by hand.
LARGEST = 9

#: Digits behind the point where a number is no fraction.
DIGITS = 3

_NUMBER = re.compile(r"([-+−]?)(\d{1,9})(?:\.(\d{1,2})|/([1-9]))?")
_BETWEEN = re.compile(r"[\s,;]+")

_MOST_BELOW = 999  # the largest denominator that is shown
_MOST_SIMPLE = 12  # up to it a fraction is simpler than a decimal
#: Floats of a pass this near to a fraction, by their size, are that fraction. Rather too small than too
#: large: what is not recognised has three right digits, and a fraction that only lies near would be wrong.
_EQUAL = 1e-13
_MOST_POWER = 12  # 2¹² = 4096 is written out; past it softmax subtracts the largest score first


class NumberError(ValueError):
    """What was written is no number for this page; the message says why, and what is."""


def parse(text: str) -> Fraction:
    """Raises `NumberError` for anything but a small whole number, a decimal or a fraction."""
    text = text.strip()
    if not text:
        raise NumberError("A field is empty; write a number, or 0.")
    found = _NUMBER.fullmatch(text)
    if not found:
        raise NumberError(
            f"“{short(text)}” is no number for paper; write a whole number, a decimal such as 0.5 "
            "or a fraction such as 1/2."
        )
    sign, whole, decimals, below = found.groups()
    value = Fraction(f"{whole}.{decimals or 0}") / int(below or 1)
    if value > LARGEST:
        raise NumberError(
            f"{short(text)} is too large to multiply by hand; numbers go from −{LARGEST} to {LARGEST} here."
        )
    return value if sign in ("", "+") else -value


def table(text: str, rows: int, cols: int) -> tuple[tuple[Fraction, ...], ...]:
    """The rows of a table whose numbers stand one after the other.

    Raises `NumberError`, also where there are too many or too few.
    """
    found = [parse(part) for part in _BETWEEN.split(text.strip()) if part]
    if len(found) != rows * cols:
        raise NumberError(f"It has {rows * cols} numbers, and {len(found)} were given.")
    return tuple(tuple(found[cols * i : cols * (i + 1)]) for i in range(rows))


def plain(rows: Sequence[Sequence[Fraction]]) -> str:
    """The numbers of a table one after the other, as `table` reads them."""
    return " ".join(str(value) for row in rows for value in row)


def written(value: float, *, exact: bool = True) -> str:
    """1/2, or 0.35, where the float of a pass is that to its last digits, else three digits.

    `exact` False: its exact value is known to be no fraction.
    """
    if exact:
        near = Fraction(value).limit_denominator(_MOST_BELOW)
        if abs(float(near) - value) <= _EQUAL * max(1.0, abs(value)):
            return _short(near).replace("-", "−")
    text = f"{value:.{DIGITS}f}"
    return (text.replace("-", "") if float(text) == 0 else text).replace("-", "−")


def _short(value: Fraction) -> str:
    """1/3 and 1/16, but 0.35 and not 7/20."""
    if value.denominator > _MOST_SIMPLE and (value * 10**DIGITS).denominator == 1:
        return f"{float(value):.{DIGITS}f}".rstrip("0")
    return str(value)


def row(values: np.ndarray, exact: bool | np.ndarray = True) -> list[str]:
    """Each of them written; `exact` for all, or for each."""
    each = np.broadcast_to(exact, values.shape)
    return [written(float(value), exact=bool(sure)) for value, sure in zip(values, each, strict=True)]


def exponents(scores: np.ndarray, unit: float) -> list[Fraction] | None:
    """The powers that softmax takes, as whole numbers, where e to the power of each score is a fraction.

    With `unit` ln 2 a score of m·ln 2 gives 2ᵐ. Otherwise only equal scores give fractions: 0 for each.
    """
    if unit == math.log(2):
        powers = scores / unit
        return [Fraction(round(p)) for p in powers] if _near(powers, np.rint(powers)) else None
    return [Fraction(0)] * len(scores) if _near(scores, scores[:1]) else None


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(np.abs(a - b) <= _EQUAL * np.maximum(1, np.abs(a))))


def fractional(scores: np.ndarray, unit: float) -> bool:
    """Does softmax give fractions that can be written out?"""
    powers = exponents(scores, unit)
    return powers is not None and max(powers) - min(powers) <= _MOST_POWER


def softmax(scores: np.ndarray, unit: float) -> dict[str, object]:
    """How softmax goes on paper: what is subtracted, each power and the sum, with which the weights come out.

    `exact`: all of it is fractions.
    """
    base = scores / unit
    far = bool(np.abs(base).max() > _MOST_POWER)
    shift = float(base.max()) if far else 0.0
    raised = np.exp((base - shift) * unit)
    exact = fractional(scores, unit)
    # 2ᵐ is a fraction for a whole m, and e to the power of 0 is 1.
    whole = [(unit == math.log(2) and bool(_near(p, np.rint(p)))) or p == 0 for p in (base - shift)[:, None]]
    return {
        "base": "2" if unit == math.log(2) else "e",
        "shift": written(shift) if far else "",
        "exponents": row(base - shift),
        "powers": [written(float(p), exact=bool(w)) for p, w in zip(raised, whole, strict=True)],
        "sum": written(float(raised.sum()), exact=exact),
        "exact": exact,
    }
