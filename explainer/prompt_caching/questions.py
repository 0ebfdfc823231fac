"""What is asked before a part is shown, with the numbers of its runs; "What breaks it" asks by itself."""

from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.words import count
from explainer.prompt_caching.room import Entry
from explainer.prompt_caching.words import WORDS
from kvengine.ahead import Loaded

Question = dict[str, Any]

#: Asked about where it saves at least this much: with less there is nothing to see.
TELLING = 1.2


def request_question(entry: Entry, block: int) -> Question | None:
    """How much of the first request is kept, and how much of a later one is computed."""
    served = entry.served
    n, reused = len(served.token_ids), served.reused
    if reused:
        values = {"n": f"{n:,}", "reused": f"{reused:,}", "computed": f"{served.computed:,}"}
        return asked(
            "request",
            Option(count(served.computed, "token"), "right", served.computed),
            Option("1 token", "one", 1),
            Option(count(n, "token"), "all", n),
            values=values,
        )
    # With the prompt the answer's tokens have been computed too, all but the last one.
    known = n + len(served.answer_ids) - 1
    kept = entry.kept * block
    values = {
        "n": f"{n:,}",
        "answer": count(len(served.answer_ids), "token"),
        "known": f"{known:,}",
        "block": f"{block:,}",
        "blocks": count(entry.kept, "full block"),
        "kept": f"{kept:,}",
    }
    if not 0 < kept < known or known - kept >= block:
        return None  # the store is full, or there is no block of it: that is another story
    return asked(
        "kept",
        Option(count(kept, "token"), "right", kept),
        Option("none", "none", 0),
        Option(f"all {known:,} tokens", "all", known),
        values=values,
    )


def documents_question(loaded: Loaded) -> Question | None:
    """How much work is saved by computing the document once?"""
    questions = loaded.questions
    ours = loaded.multiplications + sum(one.multiplications[0] for one in questions)
    full = sum(one.multiplications[1] for one in questions)
    ratio, n = full / ours, len(questions)
    if ratio < TELLING or n < 2:
        return None
    values = {
        "questions": count(n, "question"),
        "n": str(n),
        "ratio": f"{ratio:.1f}",
        "tokens": count(len(loaded.document_ids), "token"),
    }
    return asked(
        "documents",
        Option(f"{ratio:.1f} times less work", "right", ratio),
        Option("no less", "same", 1),
        Option(f"{n:.1f} times less work", "each", n),
        values=values,
    )


def machines_question(ways: list[dict[str, Any]], machines: int) -> Question | None:
    """Which way of sending requests out lets the stores be read most?"""
    best = [way for way in ways if way["best"]]
    if len(best) != 1:
        return None
    named = WORDS["machines"]["way"]
    [right] = best
    worse = [way for way in ways if way["rate"] != right["rate"]]
    order = {way["key"]: i for i, way in enumerate(ways)}

    def option(way: dict[str, Any], why: str) -> Option:
        told = {"rate": way["rate"], "busy": way["busy"]}
        return Option(named[way["key"]]["name"], why, order[way["key"]], told)

    values = {"machines": count(machines, "machine"), "best": right["rate"]}
    wrong = [option(way, way["key"]) for way in worse]
    return asked("machines", option(right, "best"), *wrong, values=values)
