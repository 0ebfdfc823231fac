"""Small models of which two differ in one thing alone: what their size and the length of their training do to
the worth of the first row, as a table and in words. No streamlit here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from explainer.policies.measure import FIRSTS, SHOWN, FirstPoint
from explainer.policies.words import label, nats, percent, tell
from kvengine.weights import CHECKPOINTS, ModelCard, available_models

#: Where they lie, in a folder of their own: they answer this one question and are no choice on the pages.
FOLDER = "pairs"
#: The one that the others are held against, the same trained longer, and a larger one trained as long.
BASE, LONG, LARGE = (f"{FOLDER}/stories-{name}-tokens" for name in ("d64-1m", "d64-8m", "d128-1m"))
#: Of the models that ship, the one that is as large as the larger one.
SHIPPED = "stories-1m-h8-kv8"
#: Nats below which a difference is told as none.
HARDLY = 0.01


@cache
def models() -> dict[str, ModelCard]:
    """All four, by the names under which they are loaded; none where the server has not all of them."""
    if not (CHECKPOINTS / FOLDER).is_dir():
        return {}
    found = {f"{FOLDER}/{card.name}": card for card in available_models(CHECKPOINTS / FOLDER)}
    found |= {card.name: card for card in available_models() if card.name == SHIPPED}
    ours = (BASE, LONG, LARGE, SHIPPED)
    return {name: found[name] for name in ours} if found.keys() >= set(ours) else {}


@dataclass(frozen=True)
class Compared:
    """How many nats more the second of two models loses without its first row, in the mean of all texts, and
    on how many of the texts the difference has the same sign as the mean."""

    by: float
    alike: int
    texts: int

    @property
    def verdict(self) -> str:
        """One of more, less, hardly."""
        if abs(self.by) < HARDLY or self.alike < self.texts:
            return "hardly"
        return "more" if self.by > 0 else "less"


def measured(points: Sequence[FirstPoint], names: Sequence[str]) -> bool:
    """Is all there that is told of these models?"""
    return bool(names) and all(len(_windowed(points, name)) == len(FIRSTS) + 1 for name in names)


def cost(points: Sequence[FirstPoint], name: str) -> float:
    """Nats per token that the model loses in the window when its first row goes."""
    found = _windowed(points, name)
    return found[0].loss - found[1].loss


def weight(points: Sequence[FirstPoint], name: str) -> float:
    """What the first row gets of all attention with a full cache: the mean of layers, heads and queries."""
    look = _windowed(points, name)[None].look
    return look.weight if look else float("nan")


def evenly(tokens: int) -> float:
    """What it would get of queries behind it that weigh all their rows alike."""
    return sum(1 / (at + 1) for at in range(1, tokens)) / (tokens - 1)


def compared(points: Sequence[FirstPoint], one: str, other: str) -> Compared:
    """Text by text, since one text may be harder than the other."""
    costs = []
    for name in (one, other):
        found = _windowed(points, name)
        costs.append(np.subtract(found[0].texts, found[1].texts))
    more = costs[1] - costs[0]
    return Compared(float(more.mean()), int((np.sign(more) == np.sign(more.mean())).sum()), len(more))


def rows(points: Sequence[FirstPoint], cards: Mapping[str, ModelCard]) -> list[dict[str, str]]:
    """A model a row."""
    table = []
    for name, card in cards.items():
        found = _windowed(points, name)
        values = [
            _millions(card.parameters),
            _millions(card.tokens_seen or 0),
            nats(cost(points, name)),  # what matters most, where a phone shows it
            *(nats(found[at].loss) for at in (*FIRSTS, None)),
            percent(weight(points, name), 1),
        ]
        columns = ("weights", "tokens", "cost", "n0", "n1", "n4", "full", "weight")
        table.append({label(f"pairs.columns.{c}"): value for c, value in zip(columns, values, strict=True)})
    return table


def lines(points: Sequence[FirstPoint], cards: Mapping[str, ModelCard]) -> list[str]:
    """What each pair shows."""
    told = []
    for kind, one, other in (
        ("weights", BASE, LARGE),
        ("training", BASE, LONG),
        ("shipped", LARGE, SHIPPED),
    ):
        found = compared(points, one, other)
        values = {
            "weights": _millions(cards[one].parameters),
            "more_weights": _millions(cards[other].parameters),
            "tokens": _millions(cards[one].tokens_seen or 0),
            "more_tokens": _millions(cards[other].tokens_seen or 0),
            "cost": nats(cost(points, one)),
            "other_cost": nats(cost(points, other)),
        }
        verdict = tell(f"pairs.{found.verdict}", by=nats(abs(found.by)), alike=found.alike, texts=found.texts)
        told.append(f"{tell(f'pairs.{kind}', **values)} {verdict}")
    return told


def attention(points: Sequence[FirstPoint], tokens: int) -> str:
    """What the first row gets of the attention, which is not what it is worth."""
    weights = [percent(weight(points, name), 1) for name in (BASE, LONG, LARGE, SHIPPED)]
    names = ("base", "long", "large", "shipped")
    return tell("pairs.attention", even=percent(evenly(tokens), 1), **dict(zip(names, weights, strict=True)))


def answer(points: Sequence[FirstPoint]) -> str:
    """Which guess is right, by its name in the words."""
    weights, training = (compared(points, BASE, other).verdict == "more" for other in (LARGE, LONG))
    return {
        (True, True): "both",
        (True, False): "weights",
        (False, True): "training",
        (False, False): "neither",
    }[weights, training]


def _windowed(points: Sequence[FirstPoint], name: str) -> dict[int | None, FirstPoint]:
    """The model's points at the window that is told of by their first rows, and under None the full cache."""
    return {
        p.firsts if p.window else None: p
        for p in points
        if p.model == name and p.window in (None, SHOWN) and not p.silent and not p.swapped
    }


def _millions(count: int) -> str:
    """With two figures where it is small."""
    return f"{count / 1e6:.1f}" if count < 1e7 else f"{count / 1e6:.0f}"
