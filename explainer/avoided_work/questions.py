"""What to guess at before an operation or a reduction: the options, and which is right, from what was run."""

from collections.abc import Callable
from typing import Any

from explainer.avoided_work.words import KEYS, WORDS, Scope, work
from explainer.kit.asking import Option, asked
from explainer.kit.words import count
from kvengine.compare import State
from kvengine.experiments import Recomputation

#: A wrong share is off by so much at least, a wrong multiple by such a factor.
_APART, _FACTOR = 0.15, 1.8


def questions(s: Scope, r: Recomputation) -> dict[str, dict[str, Any] | None]:
    """By the operation or the reduction that they come before."""
    return {
        "norm": _same_rows(s),
        "q": _queries(s, r),
        "scores": _seen(s),
        "hidden": _most(s, r),
        "readout": _last(s),
        "again": _times(s, r),
        "read": _read(r),
        "kv": _share(r),
    }


def read_names(r: Recomputation) -> str:
    """The operations whose earlier rows the last row reads, as words."""
    names = [WORDS["operation"][key]["rail"] for key in KEYS if key in r.read]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or WORDS["answers"]["nothing"]


def _rows(n: int, why: str) -> Option:
    return Option(count(n, "row"), why, n)


def _same_rows(s: Scope) -> dict[str, Any] | None:
    state, t = s.states["norm"], s.t
    right = sum(bool((state[:, row] == State.EQUAL).all()) for row in range(t))
    wrong = (_rows(t + 1, "new"), _rows(t, "earlier"), _rows(1, "one"), _rows(0, "none"))
    few = 3 if right > 1 else 4
    return asked(
        "norm",
        _rows(right, "right"),
        *(option for option in wrong[:few] if option.size != right),
        values={"right": count(right, "row")},
    )


def _queries(s: Scope, r: Recomputation) -> dict[str, Any] | None:
    if "q" in r.read:
        return None
    return asked("q", _rows(0, "none"), _rows(1, "one"), _rows(s.t, "all"))


def _seen(s: Scope) -> dict[str, Any] | None:
    options = [_rows(0, "none"), _rows(1, "one"), _rows(s.t, "all")]
    right = options.pop(0 if s.causal else -1)
    return asked("scores" if s.causal else "scores_unmasked", right, *options)


def _most(s: Scope, r: Recomputation) -> dict[str, Any] | None:
    """Which operation repeats the most work, where an experiment leaves it repeated."""
    if r.equal != r.compared:
        return None
    counted = {key: work(s.config, key, s.t + 1) for key in KEYS}
    repeated = {key: both[1] - both[0] for key, both in counted.items() if both}
    best = max(repeated, key=repeated.__getitem__)

    def option(key: str) -> Option:
        name = WORDS["operation"][key]["rail"]
        values = {"option": name, "repeated": f"{repeated[key]:,}"}
        return Option(name, "best" if key == best else "other", KEYS.index(key), values)

    others = [key for key in ("k", "scores", "out", "hidden") if key != best][:3]
    values = {"most_name": option(best).text, "most": f"{repeated[best]:,}"}
    return asked("most", option(best), *map(option, others), values=values)


def _last(s: Scope) -> dict[str, Any] | None:
    return asked("readout", _rows(1, "one"), _rows(s.t, "old"), _rows(s.t + 1, "all"))


def _times(s: Scope, r: Recomputation) -> dict[str, Any] | None:
    ratio, n = r.naive.multiplications / r.cached.multiplications, s.t + 1
    wrong: dict[str, float] = {}
    for why, other in (("square", n * n), ("twice", 2), ("layers", 5 * n)):
        if len(wrong) < 2 and all(max(other / x, x / other) >= _FACTOR for x in (ratio, *wrong.values())):
            wrong[why] = other
    told = {"right": ratio} | wrong
    right, *others = (Option(f"about {size:,.0f} times", why, size) for why, size in told.items())
    return asked("again", right, *others)


def _read(r: Recomputation) -> dict[str, Any] | None:
    told, right = WORDS["answers"], read_names(r)
    true: dict[str, Callable[[], bool]] = {
        "all": lambda: len(r.read) < len(KEYS) / 2,
        "qkv": lambda: "q" not in r.read,
        "x": lambda: "x" not in r.read,
    }
    wrong = (
        Option(told[name], name if name in true and true[name]() else "other", size)
        for size, name in enumerate(("all", "qkv", "kv", "x"))
        if told[name] != right
    )
    return asked("read", Option(right, "right", 1.5), *wrong)


def _share(r: Recomputation) -> dict[str, Any] | None:
    share = r.cached.floats / r.stored.floats
    wrong: list[float] = []
    for other in (2 / 3, 1 / 2, 0.1, 0.9, 0.3):
        if len(wrong) < 2 and all(abs(other - size) >= _APART for size in (share, *wrong)):
            wrong.append(other)

    def option(size: float, why: str) -> Option:
        return Option(f"{size:.0%}", why, size, {"numbers": f"{size * r.stored.floats:,.0f}"})

    return asked("kv", option(share, "right"), *(option(size, "other") for size in wrong))
