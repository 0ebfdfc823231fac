"""What fills the sentences of the start page in, word by word and choice by choice."""

from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.units import byte_size, milliseconds, rate
from explainer.kit.words import count, terms, words_of
from explainer.start.choice import PLAYED
from kvengine.keep import Outcome
from kvengine.proof import TOLERANCE
from kvengine.writers import Times, Writing

WORDS = words_of(Path(__file__).with_name("words.toml"))


@cache
def explained() -> dict[str, str]:
    """The terms that the page explains."""
    return terms(WORDS["lead"], WORDS["keep"]["lead"])


def times_less(ratio: float) -> str:
    """7.8, 12, 1,024."""
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def small(x: float) -> str:
    """7.6e−6; 0.35 or 12.3 where it is not small at all."""
    return f"{x:.2g}" if x == 0 or x >= 0.01 else f"{x:.1e}".replace(".0e", "e").replace("e-0", "e−")


def totals(writing: Writing, times: Times, k: int) -> dict[str, list[float]]:
    """Multiplications and seconds of the first `k` words, without a cache and with it."""
    words = writing.words[:k]
    return {
        "works": [
            sum(word.naive.multiplications for word in words),
            sum(word.cached.multiplications for word in words),
        ],
        "seconds": [sum(times.naive[:k]), sum(times.cached[:k])],
    }


def numbers(writing: Writing, times: Times, k: int) -> dict[str, list[str]]:
    """What stands under the two texts when they have `k` words: each number without a cache and with it."""
    word, total = writing.words[k - 1], totals(writing, times, k)
    return {
        "work": [rate(done.multiplications) for done in (word.naive, word.cached)],
        "works": [rate(work) for work in total["works"]],
        "time": [milliseconds(seconds) for seconds in total["seconds"]],
        "kept": [byte_size(done.kept) for done in (word.naive, word.cached)],
    }


def line(writing: Writing, times: Times, k: int) -> dict[str, Any]:
    """What is said when `k` words are written, as a template and its values."""
    word, n = writing.words[k - 1], len(writing.prompt_ids)
    values = {"prompt": count(n, "word"), "again": count(len(word.equal), "word")}
    if k == 1:
        return {"text": WORDS["line"]["first"], "values": values}
    if k < PLAYED:
        return {"text": WORDS["line"]["row"], "values": values}
    (naive, cached), (slow, fast) = totals(writing, times, k).values()
    faster = slow >= fast
    ratio = times_less(slow / fast if faster else fast / slow)
    words = writing.words[:k]
    same = all(word.same_token for word in words)
    return {
        "text": WORDS["line"]["done" if same else "differs"],
        "values": {
            "words": count(k, "word"),
            "work": times_less(naive / cached),
            "time": WORDS["line"]["faster" if faster else "slower"].replace("{ratio}", ratio),
            "where": "" if same else str(1 + [word.same_token for word in words].index(False)),
        },
    }


def verdict(outcome: Outcome, full: tuple[int, ...]) -> str:
    """Which sentence says how the text went on, held against the one that it should be."""
    if outcome.token_ids != full:
        return "broken"
    if outcome.difference > TOLERANCE:
        return "lucky"
    return "again" if "again" in (outcome.keys, outcome.values) else "works"


def why(outcome: Outcome) -> str:
    """Which sentence says what the passes had of the earlier words."""
    lost = [name for name, source in (("k", outcome.keys), ("v", outcome.values)) if source == "lost"]
    if lost:
        return "lost_both" if len(lost) == 2 else f"lost_{lost[0]}"
    return "x" if "again" in (outcome.keys, outcome.values) else "kv"


def why_values(outcome: Outcome) -> dict[str, str]:
    """What fills those sentences in."""
    remade = [name for name, how in (("K", outcome.keys), ("V", outcome.values)) if how == "again"]
    return {
        "difference": small(outcome.difference),
        "remade": " and ".join(remade),
        "again": rate(outcome.again),
        "words": count(len(outcome.token_ids), "word"),
        "error": small(outcome.error),
    }
