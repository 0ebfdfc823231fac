"""What people get wrong: pairs of requests, the second served from a store that holds the first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from explainer.kit.cache import MIB, computing_part, identity, model, tokenizer
from explainer.kit.shelf import Shelf
from explainer.prompt_caching.choice import ANSWER, TEXTS
from explainer.prompt_caching.pricing import common
from explainer.prompt_caching.room import prompt_of
from kvengine import sampler
from kvengine.cost import cache_bytes
from kvengine.prefix import Change, prefix_cache
from kvengine.reuse import Close, Parted, Served, closest, parted, serve

#: Tokens in a block where that decides what one sees: cut right before the last token, its products have the
#: shape of a decode step, and round differently.
BLOCK = {"tie": 1}

#: The temperature of the second request where only that changes.
WARM = 1.0


@dataclass(frozen=True)
class Pair:
    """Both requests. `known` are the tokens whose keys and values the first has left.

    `rows` says which of them each token of the second is held against, -1 for none. `close` is the closest
    place of the first answer, where that is what it is about.
    """

    name: str  # of the model
    block: int
    before: Served
    after: Served
    known: tuple[int, ...]
    rows: tuple[int, ...]
    parted: Parted
    close: Close | None = None

    @property
    def common(self) -> int:
        """Tokens that both have in common from their beginning."""
        return common(self.known, self.after.token_ids)

    @property
    def differ(self) -> int:
        """Rows whose keys came out differently in the last layer."""
        return int((self.parted.compared & ~self.parted.k_same[-1]).sum())

    @property
    def flipped(self) -> bool:
        """Was the second answer another one, though nothing was drawn?"""
        return self.before.answer_ids != self.after.answer_ids

    @property
    def nbytes(self) -> int:
        """Of the memory: what was compared, and as much again for tokens and texts."""
        return 8 * self.parted.k_largest.nbytes + 8192


_PAIRS: Shelf[str, Pair] = Shelf(4 * MIB)


def pair(name: str, block: int, key: str) -> Pair:
    """A mistake with a model and a size of block; the texts are the page's, so all visitors share it."""
    block = BLOCK.get(key, block)
    return _PAIRS.get(identity("mistake", name, block, key), lambda: _pair(name, block, key))


def _pair(name: str, block: int, key: str) -> Pair:
    if key != "tie":
        return _served(name, block, key)
    # What is a tie on one machine need not be one on another, whose products round differently.
    tried: list[Pair] = []
    for text in ties(name):
        tried.append(_served(name, block, key, tie=text))
        if tried[-1].flipped:
            break
    return min(tried, key=lambda found: (not found.flipped, found.close.leads[0] if found.close else 0))


def ties(name: str) -> list[str]:
    """Texts behind which two tokens have almost the same logit; where a model has none, another's."""
    known: dict[str, list[str]] = TEXTS["ties"]["found"]
    return known.get(name) or next(iter(known.values()))[:1]


def _served(name: str, block: int, key: str, **more: str) -> Pair:
    run, text = model(name), TEXTS["mistake"][key]
    prefixes = prefix_cache(run.config, block_size=block, budget=cache_bytes(run.config, 4096))
    with computing_part(name):
        before_ids = prompt_of(name, _texts(text["before"], **more))[0]
        before, first = serve(run, before_ids, prefixes, new_tokens=ANSWER)
        answer = tokenizer(name).decode(list(before.answer_ids))
        old, new = text.get("change", ("", ""))
        after_ids = prompt_of(
            name, [t.replace(old, new) for t in _texts(text["after"], answer=answer, **more)]
        )[0]
        warm = WARM if key == "temperature" else 0.0
        after, second = serve(run, after_ids, prefixes, new_tokens=ANSWER, sampler=sampler(warm))
        known = (*before_ids, *before.answer_ids[:-1])
        rows = _rows(key, known, after_ids, len(before_ids))
        # Their blocks go with the store, which nobody asks any more.
        before, after = (replace(one, change=Change((), ())) for one in (before, after))
        close = closest(first, second) if key == "tie" else None
        same = parted(run, known, after_ids, rows)
        return Pair(name, block, before, after, known, rows, same, close)


def _texts(templates: Sequence[str], **more: str) -> list[str]:
    return [template.format(**TEXTS["prompt"], **more) for template in templates]


def _rows(key: str, known: Sequence[int], after: Sequence[int], prompt: int) -> tuple[int, ...]:
    """Where in the first request each token of the second stood: at its own position, or moved."""
    if key == "moved":  # the end of the first prompt, with the marker of the beginning before it
        shift = prompt - len(after)
        return (0, *(i + shift for i in range(1, len(after))))
    return tuple(i if i < len(known) else -1 for i in range(len(after)))


#: What a token's keys and values are in the second request, of one layer.
READ, AGAIN, DIFFERENT, NEW = range(4)


def states(pair: Pair) -> np.ndarray:
    """[n_layers, 2, tokens]: what K and V of each token are, layer by layer."""
    found = pair.parted
    same = np.stack([found.k_same, found.v_same], axis=1)
    state = np.where(same, AGAIN, DIFFERENT).astype(np.uint8)
    state[..., ~found.compared] = NEW
    state[..., : pair.after.reused] = READ
    return state
