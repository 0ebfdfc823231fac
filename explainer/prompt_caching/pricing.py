"""What requests cost under a provider's rules: which tokens are read, which written, and what is billed.

Pure arithmetic on lists of tokens; the rules are data (providers.toml): what the providers' documents state.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from explainer.kit.words import words_of

PROVIDERS = words_of(Path(__file__).with_name("providers.toml"))

#: How a known beginning is found.
MODES = ("prefix", "breakpoints", "units")


@dataclass(frozen=True)
class Rules:
    """A provider's rules; providers.toml says what each field means."""

    minimum: int
    step: int
    mode: str
    lookback: int
    lifetime: float
    refresh: bool
    write: float
    read: float
    storage: float
    price: float


#: The largest number that each field takes, so that no product of them is infinite; the smallest is 0.
LIMITS: dict[str, float] = {
    "minimum": 100_000,
    "step": 10_000,
    "lookback": 1000,
    "lifetime": 7 * 86_400,
    "write": 10,
    "read": 10,
    "storage": 1000,
    "price": 1000,
}


@dataclass(frozen=True)
class Request:
    """A prompt to be billed: its tokens (anything that can be compared), and when it was sent, in seconds.

    `breaks` are the places of its explicit breakpoints: (tokens before it, content blocks before it).
    """

    tokens: tuple[Any, ...]
    at: float
    breaks: tuple[tuple[int, int], ...]
    answer: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Bill:
    """Tokens of one request by how they are billed, and its price; `full` is the price without caching."""

    read: int
    written: int
    plain: int
    cost: float
    full: float


@cache
def presets() -> dict[str, Rules]:
    """The rules in providers.toml, by name."""
    names = {field.name for field in fields(Rules)}
    return {
        key: Rules(**{name: value for name, value in given.items() if name in names})
        for key, given in PROVIDERS["rules"].items()
    }


def edited(rules: Rules, changes: Mapping[str, object]) -> tuple[Rules, list[str]]:
    """The rules with a learner's changes, held to their limits, and the names of what had to give way."""
    refused = []
    for name, value in changes.items():
        if name == "mode" and value in MODES:
            rules = replace(rules, mode=str(value))
        elif name in LIMITS and _is_number(value):
            number = min(max(float(value), 0.0), LIMITS[name])  # type: ignore[arg-type]
            if name in ("minimum", "step", "lookback"):
                number = max(int(number), 1 if name == "step" else 0)
            rules = replace(rules, **{name: number})  # type: ignore[arg-type]
            if number != float(value):  # type: ignore[arg-type]
                refused.append(name)
        else:
            refused.append(name)
    return rules, refused


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass
class _Entry:
    """A stored beginning: its tokens, when it ends, and how many content blocks it has."""

    tokens: tuple[Any, ...]
    ends: float
    blocks: int = 0


def bills(rules: Rules, requests: Sequence[Request]) -> list[Bill]:
    """Bill requests in their order. What a read finds is what earlier requests have left.

    Storage is billed for what is written until it expires, and for what a read makes last longer; where no
    lifetime is stated, for nothing.
    """
    entries: list[_Entry] = []
    told: list[Bill] = []
    for request in requests:
        entries = [entry for entry in entries if entry.ends > request.at]
        found, read = _find(rules, entries, request)
        expires = request.at + rules.lifetime if rules.lifetime else math.inf
        n, longer = len(request.tokens), 0.0
        if found and rules.refresh:
            longer = expires - found.ends if rules.lifetime else 0.0
            found.ends = expires
        kept = _kept(rules, request, entries)
        entries += [_Entry(text, expires, blocks) for text, blocks in kept]
        written = max([0, *(len(text) - read for text, _ in kept if len(text) <= n)])
        plain = n - read - written
        billed = read * rules.read + written * rules.write + plain
        stored = rules.storage / 3600 * (read * longer + written * rules.lifetime)
        told.append(Bill(read, written, plain, (billed * rules.price + stored) / 1e6, n * rules.price / 1e6))
    return told


def _find(rules: Rules, entries: Sequence[_Entry], request: Request) -> tuple[_Entry | None, int]:
    """The entry that serves a request, and how many of its tokens are read."""
    best: tuple[_Entry | None, int] = (None, 0)
    for entry in entries:
        length = common(entry.tokens, request.tokens)
        if rules.mode == "prefix":
            length = length // rules.step * rules.step
        elif length < len(entry.tokens) or (rules.mode == "breakpoints" and _too_far(rules, entry, request)):
            length = 0
        if length >= max(1, rules.minimum) and length > best[1]:
            best = entry, length
    return best


def _too_far(rules: Rules, entry: _Entry, request: Request) -> bool:
    """Is an entry further back than the lookback of every breakpoint?"""
    back = [blocks - entry.blocks for _, blocks in request.breaks if blocks >= entry.blocks]
    return not back or bool(rules.lookback and min(back) > rules.lookback)


def _kept(rules: Rules, request: Request, entries: Sequence[_Entry]) -> list[tuple[tuple[Any, ...], int]]:
    """The beginnings that a request leaves behind, with their content blocks."""
    n = len(request.tokens)
    if rules.mode == "prefix":
        left = [(request.tokens[: n // rules.step * rules.step], 0)]
    elif rules.mode == "breakpoints":
        left = [(request.tokens[:end], blocks) for end, blocks in request.breaks]
    else:
        shared = {common(entry.tokens, request.tokens) for entry in entries}
        left = [(request.tokens[:m], 0) for m in sorted(shared)]
        left += [(request.tokens, 0), (request.tokens + request.answer, 0)]
    known = {entry.tokens for entry in entries}
    return [
        one for one in dict.fromkeys(left) if len(one[0]) >= max(1, rules.minimum) and one[0] not in known
    ]


def common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many tokens two texts share from their beginning."""
    same, most = 0, min(len(a), len(b))
    while same < most:  # halves are compared at once: a conversation has tens of thousands of tokens
        middle = (same + most + 1) // 2
        if a[same:middle] == b[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same


def scaled(token_ids: Sequence[int], by: int) -> tuple[int, ...]:
    """The same text `by` times as long: every token stands for that many."""
    return tuple(by * token + i for token in token_ids for i in range(by))


#: A break-even beyond so many requests is none.
MOST_REQUESTS = 200


def break_even(rules: Rules, length: int, every: float) -> int | None:
    """The fewest requests with the same `length` tokens, `every` seconds apart, for which caching is cheaper.

    None where it never is, up to `MOST_REQUESTS`.
    """
    tokens, tried = tuple(range(length)), 0
    while tried < MOST_REQUESTS:
        tried = min(4 * tried or 4, MOST_REQUESTS)  # mostly it is two or three
        cost = full = 0.0
        requests = [Request(tokens, i * every, ((length, 1),)) for i in range(tried)]
        for n, bill in enumerate(bills(rules, requests), start=1):
            cost, full = cost + bill.cost, full + bill.full
            if cost < full * (1 - 1e-12):
                return n
    return None


#: Turns of the conversation.
TURNS = 20


def conversation(*, system: int, user: int, answer: int, every: float, blocks: int) -> list[Request]:
    """A chat of `TURNS` turns, a breakpoint at the end of each prompt: all that was said before, and the next
    question. Each turn adds `blocks` content blocks."""
    requests = []
    for turn in range(TURNS):
        n = system + turn * (user + answer) + user
        end = (n, 1 + (turn + 1) * blocks)
        requests.append(Request(tuple(range(n)), turn * every, (end,), tuple(range(n, n + answer))))
    return requests
