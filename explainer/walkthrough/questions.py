"""What to guess at before each stage: the options, and which is right, from the run's own tensors.

A stage has two questions that take turns from token to token; their sentences are in words.toml.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from explainer.kit.asking import Option, asked
from explainer.kit.words import count
from explainer.walkthrough.words import Moment, percent, whole_step

#: A wrong share of the weight is off by so much at least, and a wrong multiple by such a factor.
_APART, _FACTOR = 0.15, 1.8


def questions(m: Moment) -> list[dict[str, Any] | None]:
    """One for each stage of a token."""
    if m.position % 2:
        return [_tokens(m), _changed(m), _match(m), _weight(m), _rows(m)]
    mixed = _giver(m) if m.giver != m.best else _heaviest(m)
    return [_length(m), _stored(m), _keys(m), mixed, _naive(m)]


# ---- stage 1 ---------------------------------------------------------------------------------------------


def _tokens(m: Moment) -> dict[str, Any] | None:
    n = m.position
    return asked("tokens", _counted(1, "token", "one"), *_others("token", {n: "earlier", n + 1: "all"}))


def _length(m: Moment) -> dict[str, Any] | None:
    projections = 3 * m.config.d_model * m.config.head_dim
    return asked(
        "length",
        *(
            Option(f"{projections // part:,}", why, 1 / part)
            for part, why in ((1, "same"), (2, "half"), (4, "quarter"))
        ),
        values={"projections": f"{projections:,}", "half": m.labels[m.position // 2]},
    )


# ---- stage 2 ---------------------------------------------------------------------------------------------


def _changed(m: Moment) -> dict[str, Any] | None:
    if m.changed_numbers:  # never seen; then there would be nothing to ask
        return None
    n = m.position
    return asked(
        "changed",
        _counted(0, "row", "none"),
        *_others("row", {1: "last", n: "all"}),
        values={"before": m.labels[n - 1]},
    )


def _stored(m: Moment) -> dict[str, Any] | None:
    return asked(
        "stored",
        Option("k and v", "kv", 1),
        Option("k alone", "k", 0),
        Option("q, k and v", "qkv", 2),
        values={"pair": str(2 * m.config.head_dim)},
    )


# ---- stage 3 ---------------------------------------------------------------------------------------------


def _match(m: Moment) -> dict[str, Any] | None:
    runner_up = int(np.argsort(-m.scores, kind="stable")[1])
    return _which(m, "match", m.scores, (runner_up, m.position - 1, 0, m.position))


def _keys(m: Moment) -> dict[str, Any] | None:
    n = m.position
    return asked("keys", _counted(n + 1, "key", "all"), *_others("key", {1: "own", n: "earlier"}))


# ---- stage 4 ---------------------------------------------------------------------------------------------


def _heaviest(m: Moment) -> dict[str, Any] | None:
    return _which(m, "heaviest", m.weights, (int(at) for at in np.argsort(-m.weights, kind="stable")[1:]))


def _which(m: Moment, kind: str, sizes: np.ndarray, candidates: Any) -> dict[str, Any] | None:
    """Which token has the largest: the right label, and three others as they stand in the text."""
    best, label = m.best, m.labels

    def option(at: int, digits: int, why: str) -> Option:
        values = {"option": label[at], "size": _text(sizes[at], digits), "most": _text(sizes[best], digits)}
        return Option(f"“{label[at]}”", why, at, values)

    largest: dict[str, int] = {}  # of the tokens with the same label
    for i, size in enumerate(sizes.tolist()):
        if size > sizes[largest.setdefault(label[i], i)]:
            largest[label[i]] = i
    wrong: dict[str, Option] = {}
    for candidate in candidates:
        at = largest[label[candidate]]
        if label[at] == label[best] or label[at] in wrong:
            continue
        if len(wrong) == 3:
            break
        digits = next((d for d in (1, 2, 3, 4) if _text(sizes[at], d) != _text(sizes[best], d)), None)
        if digits:
            wrong[label[at]] = option(at, max(digits, 2) if kind == "heaviest" else digits, "other")
    return asked(kind, option(best, 2 if kind == "heaviest" else 1, "best"), *wrong.values())


def _weight(m: Moment) -> dict[str, Any] | None:
    share, rows = float(m.weights[m.best]), m.position + 1
    second = int(np.argsort(-m.weights, kind="stable")[1])
    lead, times = float(m.scores[m.best] - m.scores[second]), float(m.weights[m.best] / m.weights[second])
    values = {
        "second": m.labels[second],
        "second_score": _text(m.scores[second], 1),
        "lead": _text(lead, 1) if lead >= 0.05 else _text(lead, 3),
        "times": f"{times:,.0f}" if times >= 10 else f"{times:.1f}",
        "others": f"{rows - 2:,}",
        "rest": f"{1 - share:.0%}",
        "equal_share": f"{1 / rows:.0%}",
    }
    wrong: list[float] = []
    for other in (1 / rows, 0.5, 0.25, 0.75, 0.98):
        if len(wrong) < 2 and all(abs(other - size) >= _APART for size in (share, *wrong)):
            wrong.append(other)
    options = [
        Option(f"{size:.0%}", "equal" if size == 1 / rows else "less" if size < share else "more", size)
        for size in wrong
    ]
    return asked("weight", Option(f"{share:.0%}", "right", share), *options, values=values)


def _giver(m: Moment) -> dict[str, Any] | None:
    """The largest weight need not make the largest part."""
    order = [int(at) for at in np.argsort(-m.shares, kind="stable")]
    giver, label = order[0], m.labels

    def option(at: int, why: str) -> Option:
        values = {"option": label[at], "part": percent(m.shares[at]), "weighs": f"{m.weights[at]:.2f}"}
        return Option(f"“{label[at]}”", why, at, values)

    wrong: dict[str, Option] = {}
    for at in (m.best, *order[1:]):
        told_apart = percent(m.shares[at]) != percent(m.shares[giver])
        if len(wrong) < 3 and label[at] not in (label[giver], *wrong) and told_apart:
            wrong[label[at]] = option(at, "best" if at == m.best else "other")
    return asked("giver", option(giver, "giver"), *wrong.values())


# ---- stage 5 ---------------------------------------------------------------------------------------------


def _rows(m: Moment) -> dict[str, Any] | None:
    n = m.position
    return asked("rows", _counted(1, "row", "one"), *_others("row", {n + 1: "old", n + 2: "all"}))


def _naive(m: Moment) -> dict[str, Any] | None:
    cached, naive = whole_step(m.config, m.position + 1)
    tokens, ratio = m.position + 2, naive / cached
    wrong: dict[str, float] = {}
    for why, other in (("square", tokens**2), ("layers", m.config.n_layers), ("twice", 2)):
        if len(wrong) < 2 and all(max(other / x, x / other) >= _FACTOR for x in (ratio, *wrong.values())):
            wrong[why] = other
    return asked(
        "naive",
        _times(ratio, "right"),
        *(_times(other, why) for why, other in wrong.items()),
        values={"cached_work": f"{cached:,}", "naive_work": f"{naive:,}"},
    )


# ---- options ---------------------------------------------------------------------------------------------


def _counted(n: int, what: str, why: str) -> Option:
    return Option(count(n, what), why, n)


def _others(what: str, whys: dict[int, str]) -> Iterator[Option]:
    return (_counted(size, what, why) for size, why in whys.items())


def _times(ratio: float, why: str) -> Option:
    return Option(f"about {ratio:,.0f} times", why, ratio)


def _text(x: float, digits: int) -> str:
    return f"{x:.{digits}f}".replace("-", "−")
