"""What to guess at before a word is written: the options, and which is right, counted in the run."""

from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.units import byte_size, rate
from explainer.kit.words import count
from kvengine.writers import Writing

#: A wrong multiple is off by such a factor at least.
_FACTOR = 1.6


def question(writing: Writing, k: int, labels: list[str]) -> dict[str, Any] | None:
    """The one before word `k`, counted from 1; most words have none. `labels` are those of the naive text."""
    word, n = writing.words[k - 1], len(writing.prompt_ids) + k - 1
    values = {"new": labels[n - 1], "earlier": count(n - 1, "word"), "all": count(n, "word")}
    if k == 2:
        return asked("left", *_words(word.naive.computed, {1: "one", n - 1: "old", n: "all"}), values=values)
    if k == 3:
        return asked(
            "right", *_words(word.cached.computed, {1: "one", n - 1: "old", n: "all"}), values=values
        )
    if k == 4:
        return _different(writing, k, values)
    if k == 6:
        return _kept(writing, k, values)
    if k == 8:
        return _ratio(writing, k, values)
    return None


def _words(right: int, whys: dict[int, str]) -> list[Option]:
    """All numbers of words, the right one first."""
    options = {size: Option(count(size, "word"), why, size) for size, why in whys.items()}
    return [options.pop(right), *options.values()] if right in options else []


def _different(writing: Writing, k: int, values: dict[str, str]) -> dict[str, Any] | None:
    word = writing.words[k - 1]
    if not word.equal.all():
        return None
    found = {"numbers": f"{word.numbers:,}", "largest": f"{word.largest.max():.1e}".replace("e-0", "e−")}
    options = _words(0, {0: "none", 1: "one", len(word.equal): "every"})
    return asked("different", *options, values=values | found)


def _kept(writing: Writing, k: int, values: dict[str, str]) -> dict[str, Any] | None:
    kept, n = writing.words[k - 1].cached.kept, len(writing.prompt_ids) + k - 1
    found = {"kept": byte_size(kept), "each": byte_size(kept // n), "twice": count(2 * n, "word")}
    options = (
        Option(byte_size(times * kept), why, times) for times, why in ((2, "twice"), (1, "same"), (4, "four"))
    )
    return asked("kept", *options, values=values | found)


def _ratio(writing: Writing, k: int, values: dict[str, str]) -> dict[str, Any] | None:
    """How many times as much work this word takes without the cache."""
    word = writing.words[k - 1]
    naive, cached = word.naive.multiplications, word.cached.multiplications
    n, ratio = len(writing.prompt_ids) + k - 1, naive / cached
    wrong: dict[str, float] = {}
    for why, other in (("twice", 2), ("square", n * n), ("word", k)):
        if len(wrong) < 2 and all(max(other / x, x / other) >= _FACTOR for x in (ratio, *wrong.values())):
            wrong[why] = other
    options = (
        Option(f"about {times:,.0f} times", why, times) for why, times in ({"times": ratio} | wrong).items()
    )
    return asked("ratio", *options, values=values | {"naive": rate(naive), "cached": rate(cached)})
