"""What an address says: every page's parameters, their limits, and the sentence for each that does not fit.

A page declares a frozen dataclass whose fields are made by `whole`, `real` and `text`. This is the one place
that reads them from an address and writes them to one. No streamlit here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from kvengine import Config

T = TypeVar("T")

#: A limit: a number, or what the chosen model allows.
Limit = float | Callable[[Config], float]

#: Parameters of every scene that only the browser reads and writes: questions, all numbers, presenting.
BROWSER_KEYS = frozenset({"ask", "numbers", "present"})


@dataclass(frozen=True)
class _Parameter:
    key: str
    kind: type
    low: Limit
    high: Limit
    fact: str  # with {low} and {high}
    browser: bool
    adapts: bool


def whole(
    key: str, default: int, low: Limit, high: Limit, fact: str, *, browser: bool = False, adapts: bool = False
) -> Any:
    """A whole number from `low` to `high`; `fact` is told when an address asks for another.

    `browser`: the scene writes it, step by step. `adapts`: a default that is too high for a smaller model is
    put right without a word.
    """
    return field(default=default, metadata={"": _Parameter(key, int, low, high, fact, browser, adapts)})


def real(key: str, default: float, low: Limit, high: Limit, fact: str) -> Any:
    """A number from `low` to `high`."""
    return field(default=default, metadata={"": _Parameter(key, float, low, high, fact, False, False)})


def text(key: str, default: str, longest: int, fact: str, *, browser: bool = False) -> Any:
    """A text of at most `longest` characters; `browser` as for a number."""
    return field(default=default, metadata={"": _Parameter(key, str, 0, longest, fact, browser, False)})


def parameters(kind: type) -> dict[str, _Parameter]:
    """Field name -> parameter."""
    return {f.name: f.metadata[""] for f in fields(kind)}


def browser_keys(kind: type | None) -> frozenset[str]:
    """The address parameters that a page's scene writes by itself."""
    own = parameters(kind).values() if kind else ()
    return BROWSER_KEYS | {parameter.key for parameter in own if parameter.browser}


def read(kind: type[T], params: Mapping[str, str]) -> tuple[T, list[str]]:
    """The choice in an address, not yet held to its limits, and a sentence for all that is no number."""
    wanted: dict[str, Any] = {}
    notes: list[str] = []
    for name, parameter in parameters(kind).items():
        given = params.get(parameter.key)
        if given is None:
            continue
        try:
            wanted[name] = parameter.kind(given)
        except ValueError:
            which = "whole number" if parameter.kind is int else "number"
            notes.append(f"{parameter.key}={short(given)} in the address is no {which}; it was ignored.")
    return kind(**wanted), notes


def fit(choice: T, config: Config) -> tuple[T, list[str]]:
    """The nearest choice within the limits, and a sentence for each thing that was changed."""
    notes: list[str] = []
    for name, parameter in parameters(type(choice)).items():
        value = getattr(choice, name)
        low, high = (limit(config) if callable(limit) else limit for limit in (parameter.low, parameter.high))
        said = parameter.fact.format(low=f"{low:,.0f}", high=f"{high:,.0f}")
        if parameter.kind is str:
            if len(value) > high:
                notes.append(said)
                choice = replace(choice, **{name: value[: int(high)]})  # type: ignore[type-var]
            continue
        if low <= value <= high:  # NaN fails
            continue
        nearest = parameter.kind(high if value > high else low)
        default = next(f.default for f in fields(type(choice)) if f.name == name)  # type: ignore[arg-type]
        asked, taken = (short(f"{x:g}" if parameter.kind is float else str(x)) for x in (value, nearest))
        if value < low and nearest == default:  # a 0 there can mean that nothing is chosen
            notes.append(f"{said}; {asked} was asked for and ignored.")
        elif not (parameter.adapts and value == default):
            notes.append(f"{said}; {asked} was asked for, {taken} is shown.")
        choice = replace(choice, **{name: nearest})  # type: ignore[type-var]
    return choice, notes


def write(choice: Any) -> dict[str, str]:
    """The parameters that differ from their defaults, without those that the browser writes.

    And those that the choice names itself, in a method `always_written`.
    """
    params: dict[str, str] = {}
    always = choice.always_written() if hasattr(choice, "always_written") else ()
    for f in fields(choice):
        parameter, value = f.metadata[""], getattr(choice, f.name)
        if not parameter.browser and (value != f.default or parameter.key in always):
            params[parameter.key] = (
                f"{value:g}" if isinstance(value, float) and math.isfinite(value) else str(value)
            )
    return params


def short(text: str) -> str:
    """The beginning of something long that was asked for."""
    return text if len(text) <= 24 else text[:23] + "…"
