"""The provider view as data: rules, what a learner's requests cost under each, and a conversation's chart."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from explainer.prompt_caching.choice import TEXTS
from explainer.prompt_caching.pricing import (
    LIMITS,
    MODES,
    PROVIDERS,
    TURNS,
    Bill,
    Request,
    Rules,
    bills,
    break_even,
    conversation,
    edited,
    presets,
    scaled,
)
from explainer.prompt_caching.room import Entry, prompt_of
from explainer.prompt_caching.words import WORDS, percent

#: For how many tokens each token of the learner's short texts can stand, and the seconds between requests.
SCALES, GAPS = (1, 10, 50, 100), (5, 60, 400, 4000)

#: What of the conversation can be changed, with the most that each may be.
TALK = {"system": 3000, "user": 200, "answer": 300, "every": 60, "blocks": 2}
MOST_TALK = {"system": 50_000, "user": 5000, "answer": 5000, "every": 86_400, "blocks": 100}


@dataclass
class Prices:
    """What a learner has chosen here: whose rules, what was changed in them, and the conversation."""

    preset: str = "own"
    changes: dict[str, Any] = field(default_factory=dict)
    scale: int = 50
    gap: int = 60
    talk: dict[str, int] = field(default_factory=lambda: dict(TALK))
    held: list[str] = field(default_factory=list)

    def choose(self, asked: Mapping[str, Any]) -> None:
        """Take a message from the browser; what is not understood changes nothing."""
        self.held = []
        if asked.get("preset") in presets():
            self.preset, self.changes = str(asked["preset"]), {}
        if isinstance(asked.get("rules"), dict):
            wanted = {**self.changes, **asked["rules"]}
            rules, self.held = edited(presets()[self.preset], wanted)
            documented, now = asdict(presets()[self.preset]), asdict(rules)
            self.changes = {name: value for name, value in now.items() if value != documented[name]}
        if asked.get("scale") in SCALES:
            self.scale = int(asked["scale"])
        if asked.get("gap") in GAPS:
            self.gap = int(asked["gap"])
        talk = asked.get("talk")
        for name, value in talk.items() if isinstance(talk, dict) else ():
            if name in TALK and isinstance(value, int | float) and value == value:
                self.talk[name] = int(min(max(value, 1), MOST_TALK[name]))
                if self.talk[name] != value:
                    self.held.append(name)

    @property
    def rules(self) -> Rules:
        return edited(presets()[self.preset], self.changes)[0]


def requests_of(history: Sequence[Entry], scale: int, gap: float) -> list[Request]:
    """A learner's history as requests to be billed, a breakpoint at the end of each part of the prompt."""
    found = []
    for i, entry in enumerate(history):
        breaks = tuple((end * scale, part + 1) for part, end in enumerate(accumulate(entry.sizes)))
        tokens = scaled(entry.served.token_ids, scale)
        answer = scaled(entry.served.answer_ids, scale)
        found.append(Request(tokens, i * gap, breaks, answer))
    return found


def examples(name: str, scale: int, gap: float) -> list[Request]:
    """What stands in for a history of less than two: the page's prompt with each of its questions."""
    found = []
    for i, question in enumerate(TEXTS["more"]["questions"]):
        ids, sizes = prompt_of(name, (TEXTS["prompt"]["system"], TEXTS["prompt"]["documents"], question))
        breaks = tuple((end * scale, part + 1) for part, end in enumerate(accumulate(sizes)))
        found.append(Request(scaled(ids, scale), i * gap, breaks))
    return found


def prices_scene(prices: Prices, name: str, history: Sequence[Entry]) -> dict[str, Any]:
    """The rules chosen, the table over all presets, and the conversation turn by turn."""
    example = len(history) < 2
    requests = (
        examples(name, prices.scale, prices.gap)
        if example
        else requests_of(history, prices.scale, prices.gap)
    )
    longest = max((len(request.tokens) for request in requests), default=0)
    rows = []
    for key, documented in presets().items():
        chosen = key == prices.preset
        rules = prices.rules if chosen else documented
        given = PROVIDERS["rules"][key]
        told = bills(rules, requests)
        read = sum(bill.read for bill in told)
        rows.append(
            {
                "key": key,
                "name": given["name"] + (" *" if chosen and prices.changes else ""),
                "source": given.get("source", ""),
                "link": given.get("link", ""),
                "note": given.get("note", ""),
                "read": percent(read / max(1, sum(len(request.tokens) for request in requests))),
                **_costs(told, given["currency"]),
                "even": break_even(rules, longest, prices.gap) if longest else None,
            }
        )
    talk = conversation(**prices.talk)
    told = bills(prices.rules, talk)
    currency = PROVIDERS["rules"][prices.preset]["currency"]
    running = [(sum(b.cost for b in told[: i + 1]), sum(b.full for b in told[: i + 1])) for i in range(TURNS)]
    return {
        "preset": prices.preset,
        "changed": sorted(prices.changes),
        "rules": asdict(prices.rules),
        "limits": LIMITS,
        "modes": list(MODES),
        "currency": currency,
        "scale": prices.scale,
        "scales": list(SCALES),
        "gap": prices.gap,
        "gaps": [[gap, duration(gap)] for gap in GAPS],
        "requests": len(requests),
        "example": example,
        "rows": rows,
        "talk": prices.talk,
        "most_talk": MOST_TALK,
        "turns": [[bill.read, bill.written, bill.plain] for bill in told],
        "running": [list(pair) for pair in running],
        "talk_costs": _costs(told, currency),
        "said": [[money(cost, currency) for cost in pair] for pair in running],
        "held": ", ".join(_name(name) for name in prices.held),
        "date": PROVIDERS["retrieved"],
        "unpriced": list(PROVIDERS["unpriced"].values()),
    }


def _name(name: str) -> str:
    words = WORDS["prices"]
    return str(words["field"].get(name) or words["talk"].get(name) or name)


def _costs(told: Sequence[Bill], currency: str) -> dict[str, str]:
    cost, full = sum(bill.cost for bill in told), sum(bill.full for bill in told)
    return {
        "cost": money(cost, currency),
        "full": money(full, currency),
        "share": percent(cost / full) if full else "",
    }


def money(amount: float, currency: str) -> str:
    """$0.0042, $0.20, $1.25; without a currency the unit is left out."""
    if amount >= 0.1:
        return f"{currency}{amount:,.2f}"
    if not amount:
        return f"{currency}0"
    return f"{currency}{amount:#.2g}" if amount >= 1e-4 else f"{currency}{amount:.1e}"


def duration(seconds: float) -> str:
    """5 seconds, 7 minutes, 67 minutes"""
    return f"{seconds:.0f} seconds" if seconds < 60 else f"{seconds / 60:.0f} min"
