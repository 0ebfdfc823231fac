"""The operations of a layer: which of the sentences in words.toml each says, and what fills them in."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explainer.avoided_work.equations import Equations, Kind
from explainer.kit.words import count, terms, words_of
from kvengine.compare import State
from kvengine.config import Config
from kvengine.cost import pass_cost
from kvengine.graph import GRAPH, sizes

WORDS = words_of(Path(__file__).with_name("words.toml"))

#: The operations in the order of the rail; words.toml has them in the same order.
KEYS: tuple[str, ...] = tuple(WORDS["operation"])


@dataclass(frozen=True)
class Scope:
    """One layer of two compared steps: what the sentences of its operations are filled in from."""

    config: Config
    layer: int
    t: int
    causal: bool
    token: str  # the new one
    next_token: str
    probability: float  # of the next token, at the temperature
    temperature: float
    states: dict[str, np.ndarray]  # of State, by operation, [heads, rows, cols]


def values(s: Scope) -> dict[str, str]:
    """The named values of the operations' sentences, as text."""
    c, n = s.config, s.t + 1
    masked = int((s.states["scores"][0] == State.MASKED).sum())
    return {
        "token": s.token,
        "next_token": s.next_token,
        "probability": f"{s.probability:.2f}",
        "temperature": f"{s.temperature:g}",
        "rows": count(n, "row"),
        "earlier_rows": count(s.t, "earlier row"),
        "earlier_tokens": count(s.t, "token"),
        "d_model": str(c.d_model),
        "d_ffn": str(c.d_ffn),
        "head_dim": str(c.head_dim),
        "heads": count(c.n_heads, "head"),
        "wide": str(c.n_heads * c.head_dim),
        "group_size": str(c.group_size),
        "layers": count(c.n_layers, "layer"),
        "below": str(s.layer - 1),
        "above": str(s.layer + 1),
        "vocab": f"{c.vocab_size:,}",
        "masked": f"{masked:,}",
        "scores": f"{n * n:,}",
    }


def templates(s: Scope) -> dict[str, str]:
    """Values that are sentences of their own, chosen by what is the case."""
    return {
        "chosen": WORDS["chosen"]["drawn" if s.temperature else "greedy"],
        "whichever": WORDS["whichever"]["last" if s.layer == s.config.n_layers - 1 else "other"],
        "group": WORDS["group"]["shared" if s.config.group_size > 1 else "own"],
    }


def operations(s: Scope) -> list[dict[str, Any]]:
    """Every operation with its sentences, formulas and counted work."""
    c = s.config
    case = {
        "first": s.layer == 0,
        "last": s.layer == c.n_layers - 1,
        "single": c.n_heads == 1,
        "unmasked": not s.causal,
    }
    equations = Equations(s.t, c.n_heads, c.head_dim, lambda key, i, j: _kind(s.states, key, i, j))
    said = []
    for key in KEYS:
        told: dict[str, str] = WORDS["operation"][key]
        focus, why = (_sentence(told, part, case) for part in ("focus", "why"))
        operation: dict[str, Any] = {"key": key, "heads": GRAPH[key].heads, "rail": told["rail"]}
        operation |= {"title": told["title"], "focus": focus, "why": why, "formulas": equations.of(key)}
        operation["meter"] = work(c, key, s.t + 1)
        operation |= for_class(told)
        operation |= _exception(s.states.get(key))
        said.append(operation)
    return said


def explained() -> dict[str, str]:
    """The terms that the scene explains."""
    return terms(WORDS["operation"], WORDS["reduction"], WORDS["group"])


def _sentence(told: dict[str, str], part: str, case: dict[str, bool]) -> str:
    """The sentence for what is the case, where there is one of its own."""
    return next(
        (told[f"{part}_{name}"] for name, holds in case.items() if holds and f"{part}_{name}" in told),
        told[part],
    )


def _exception(state: np.ndarray | None) -> dict[str, Any]:
    """Where an experiment takes something away, what was found stands in the place of the reason, and no work
    is said to be saved."""
    if state is None or not (state == State.DIFFERENT).any():
        return {}
    equal, different = (int((state == kind).sum()) for kind in (State.EQUAL, State.DIFFERENT))
    found = {"here_equal": f"{equal:,}", "here_compared": f"{equal + different:,}"}
    return {"why": WORDS["exception"]["text"], "values": found, "meter": None, "line": ""}


def for_class(told: Mapping[str, str]) -> dict[str, str]:
    """What stands on the screen for a class, and what the speaker may say and ask."""
    return {name: told[name] for name in ("line", "say", "ask")}


def work(config: Config, key: str, n: int) -> tuple[int, int] | None:
    """The multiplications in the layer, with a cache and without; None where none are counted."""
    if not GRAPH[key].terms or key == "readout":
        return None
    cached, naive = (GRAPH[key].multiplications(sizes(config, q_len=rows, end=n)) for rows in (1, n))
    return cached, naive


def _kind(states: dict[str, np.ndarray], key: str, i: int, j: int | None) -> Kind:
    """What was found of a row, or of one cell, in all heads: the colour that it has in a formula."""
    state = states[key]
    found = state[:, i] if j is None else state[:, i, j]
    if (found == State.MASKED).all():
        return "masked"
    found = found[found != State.MASKED]
    if (found == State.EQUAL).all():
        return "again"
    return "fresh" if (found == State.NEW).all() else "differs"


# ---- below the scene -------------------------------------------------------------------------------------


def chart_words(name: str, premise: int) -> tuple[str, str]:
    """Title and text over a chart, as the experiment wants them."""
    told: dict[str, str] = WORDS["charts"][name]
    case = {"broken": premise != 0, "changed": premise > 0}
    return _sentence(told, "title", case), _sentence(told, "text", case)


def chart_values(config: Config, t: int) -> dict[str, str]:
    """What fills the texts over the charts in."""
    works = {"prefill_work": (t, 0), "naive_work": (t + 1, 0), "cached_work": (1, t)}
    return {"earlier_tokens": count(t, "token")} | {
        name: f"{pass_cost(config, q_len=rows, start=start).multiplications:,}"
        for name, (rows, start) in works.items()
    }
