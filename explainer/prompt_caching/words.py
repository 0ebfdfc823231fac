"""What fills the sentences of prompt caching in: requests, mistakes, and the questions before them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.asking import Option, asked
from explainer.kit.units import byte_size, times
from explainer.kit.words import count, terms, words_of
from explainer.prompt_caching.choice import TEXTS
from explainer.prompt_caching.mistakes import WARM, Pair
from explainer.prompt_caching.room import Entry
from kvengine.compare import TOLERANCE
from kvengine.reuse import Close, Proof, Served

WORDS = words_of(Path(__file__).with_name("words.toml"))

#: Two ways through the same products may differ by this much, as everywhere on these pages.
EQUAL = 100 * TOLERANCE


#: Where a prefix cache changed an answer at temperature 0: github.com/vllm-project/vllm/issues/40896
ISSUE = "#40896"


@cache
def explained() -> dict[str, str]:
    """The terms that the page explains."""
    return terms(WORDS)


def small(x: float) -> str:
    """7.6e−6; 0.35 or 12.3 where it is not small at all."""
    return f"{x:.2g}" if x == 0 or x >= 0.01 else f"{x:.1e}".replace(".0e", "e").replace("e-0", "e−")


def percent(share: float) -> str:
    """64%"""
    return f"{100 * share:.0f}%"


def line(entry: Entry, earlier: list[Entry], *, block: int, budget: int) -> dict[str, Any]:
    """What a request did, as a template and its values."""
    words, served = WORDS["requests"]["line"], entry.served
    n = len(served.token_ids)
    values: dict[str, str] = {
        "n": f"{n:,}",
        "block": f"{block:,}",
        "reused": f"{served.reused:,}",
        "computed": f"{served.computed:,}",
        "stored": count(entry.kept, "block was", "blocks were"),
    }
    if served.reused:
        ours_work, full_work = served.multiplications
        values["share"] = percent(1 - ours_work / full_work)
        if entry.seconds is None:
            return {"text": words["hit"], "values": values}
        ours, full = entry.seconds
        sooner = full >= ours
        ratio = times(full / ours if sooner else ours / full)
        values["faster"] = words["faster" if sooner else "slower"].replace("{times}", ratio)
        return {"text": words["timed"], "values": values}
    if budget < block:
        return {"text": words["zero" if not budget else "miss"], "values": values | {"why": ""}}
    if n <= block:
        return {"text": words["short"], "values": values}
    if not earlier:
        return {"text": words["first"], "values": values}
    parts = [_common(served, one.served) for one in earlier]
    longest = max(parts)
    why = words["pruned"] if longest >= block else words["unlike"].replace("{at}", f"{longest:,}")
    return {"text": words["miss"], "values": values | {"why": why}}


def _common(a: Served, b: Served) -> int:
    pairs = zip(a.token_ids, b.token_ids, strict=False)
    shortest = min(len(a.token_ids), len(b.token_ids))
    return next((i for i, (x, y) in enumerate(pairs) if x != y), shortest)


def proof(found: Proof) -> dict[str, Any]:
    """What the comparison with the full prefill found, as `proof` of web/counts.js takes it."""
    largest = max(found.differences.values())
    return {
        "differences": found.differences,
        "numbers": f"{found.numbers:,}",
        "same": found.same_answer,
        "equal": largest <= EQUAL,
    }


def proof_lines(found: Proof, reused: int, temperature: float) -> list[dict[str, Any]]:
    """What else is to be said of it: rounding, and whether it could change a token."""
    words, largest = WORDS["requests"]["proof"], found.differences["logits"]
    lines = [{"text": words["exact"], "values": {}}] if reused and largest == 0 else []
    if temperature == 0:
        told = "other" if not found.same_answer else "close" if 2 * largest >= found.gap else "tie"
        lines.append({"text": words[told], "values": {"gap": small(found.gap), "largest": small(largest)}})
        lines.append({"text": words["coarse"], "values": {"issue": ISSUE}})
    return lines


def room_names(bytes_per_token: int, budgets: tuple[int, ...]) -> list[str]:
    """What stands on the choices of the store's size."""
    words = WORDS["requests"]["set"]
    return [
        words["room"].format(tokens=f"{n:,}", bytes=byte_size(n * bytes_per_token)) if n else words["nothing"]
        for n in budgets
    ]


def question(key: str, found: Pair) -> dict[str, Any] | None:
    """How much is read? As kit/asking.py sends it; the right answer is that of the run."""
    words, n, block = WORDS["option"], len(found.after.token_ids), found.block
    if found.close:
        right = "other" if found.flipped else "words" if found.close.largest else "exact"
        outcomes = {name: Option(words[name], name, i) for i, name in enumerate(("exact", "words", "other"))}
        return asked(key, outcomes.pop(right), *outcomes.values())
    most = (n - 1) // block * block
    whole = min(most, len(found.known) // block * block) if key in ("seam", "answer") else most
    parts = {
        "none": 0,
        "before": found.common // block * block,
        "all": whole if key not in ("letter", "first", "last", "space", "moved") else n - 1,
    }
    reused = found.after.reused
    if reused == 0:
        right = "none"
    elif found.common >= min(len(found.known), n - 1):
        right = "all"
    else:
        right = "before"
    parts[right] = reused

    def option(name: str) -> Option:
        tokens = parts[name]
        text = words[name if tokens else "none"].format(tokens=f"{tokens:,}", n=f"{n:,}")
        return Option(text, name, tokens)

    for name in parts:  # where a block is longer than all that is read, what somebody could believe instead
        taken = {parts[other] for other in parts if other != name}
        if name != right and parts[name] in taken:
            believed = (n - 1, n // 2, n // 4) if name == "all" else (n // 2, n // 4, 0)
            parts[name] = next(tokens for tokens in believed if tokens not in taken)
    wrong = [option(name) for name in parts if name != right]
    return asked(key, option(right), *wrong)


def _largest(found: Pair, *, same: bool) -> float:
    """The largest difference among the rows that are the same but for rounding, or among the others."""
    parted = found.parted
    sides = ((parted.k_same, parted.k_largest), (parted.v_same, parted.v_largest))
    wanted = [largest[equal if same else parted.compared & ~equal] for equal, largest in sides]
    return max(float(part.max(initial=0)) for part in wanted)


def tie_values(close: Close, name: str, text_of: Callable[[int], str]) -> dict[str, str]:
    """What fills the sentences about a near tie in."""
    words, gap = WORDS["mistake"]["tie"], close.leads[0]
    places = TEXTS["ties"]["places"].get(name)
    return {
        "first_token": text_of(close.token_ids[0]),
        "second_token": text_of(close.token_ids[1]),
        "apart": words["apart"].format(gap=small(gap)) if gap else words["equal"],
        "moved": small(close.largest),
        "rare": words["rare"].format(places=f"{places:,}") if places else "",
    }


def mistake_values(found: Pair, answers: tuple[str, str]) -> dict[str, str]:
    """What fills the sentences of a mistake in."""
    return {
        "n": f"{len(found.after.token_ids):,}",
        "block": f"{found.block:,}",
        "common": f"{found.common:,}",
        "common_tokens": "token" if found.common == 1 else count(found.common, "token"),
        "reused": f"{found.after.reused:,}",
        "warm": f"{WARM:g}",
        "same": small(_largest(found, same=True)),
        "different": small(_largest(found, same=False)),
        "differ": f"{found.differ:,}",
        "cold_answer": answers[0],
        "warm_answer": answers[1],
    }
