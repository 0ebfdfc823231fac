"""What the memory page has run: a cache that grows, models with other heads, scattered blocks, clocks."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from explainer.kit.cache import MIB, cards, computing, computing_part, identity, model, prompt_tokens
from explainer.kit.lab import LAB, Run
from explainer.kit.measure import Setting, is_large
from explainer.kit.shelf import Shelf
from explainer.memory.choice import LONGEST, NEW
from explainer.memory.measure import Steps
from kvengine import Config, generate, sampler
from kvengine.generate import probabilities
from kvengine.growth import Growth, grow
from kvengine.paged_cache import PagedRun, paged_run
from kvengine.timing import Row

#: Tokens that each of the models with other heads writes, and that run through scattered blocks.
CONTINUED, PAGED, PAGED_LARGE = 24, 40, 18


@dataclass(frozen=True)
class Continued:
    """What one model makes of the prompt: its tokens, and the probability of the first of them."""

    config: Config
    loss: float  # held out, in nats a token, from the model's card
    token_ids: tuple[int, ...]
    probability: float


@dataclass(frozen=True)
class Sharing:
    """The same prompt continued by each model of eight heads, from most KV heads to fewest."""

    prompt_ids: tuple[int, ...]
    models: tuple[Continued, ...]

    @property
    def nbytes(self) -> int:
        return 1024 * len(self.models)


@dataclass(frozen=True)
class Paged:
    """The run through scattered blocks."""

    run: PagedRun

    @property
    def nbytes(self) -> int:
        return 4096


#: Of all visitors together. A growth of the default prompt takes 6 kB, one of the longest 90.
_GROWTHS: Shelf[str, Growth] = Shelf(8 * MIB)
_SHARINGS: Shelf[str, Sharing] = Shelf(2 * MIB)
_PAGED: Shelf[str, Paged] = Shelf(2 * MIB)
#: A measurement takes 8 kB.
_STEPS: OrderedDict[str, Run[Row]] = OrderedDict()
_MOST_STEPS, _STEPS_LOCK = 64, threading.Lock()


def growth(name: str, token_ids: tuple[int, ...], *, temperature: float, seed: int) -> tuple[str, Growth]:
    """The prompt continued with a cache, and the name under which all who choose the same share it."""
    key = identity("growth", name, token_ids, temperature, seed)

    def make() -> Growth:
        run = model(name)
        with computing(name):
            return grow(run, token_ids, new=NEW, sampler=sampler(temperature, seed=seed))

    return key, _GROWTHS.get(key, make)


def sharing(prompt: str) -> tuple[str, Sharing]:
    """The models with as many heads and ever fewer KV heads, each at its most probable continuation."""
    most = max(card.config.n_heads for card in cards())
    found = sorted(
        (card for card in cards() if card.config.n_heads == most), key=lambda card: -card.config.n_kv_heads
    )
    token_ids = prompt_tokens(found[0].name, prompt)[:LONGEST]
    key = identity("sharing", token_ids)

    def make() -> Sharing:
        models = []
        for card in found:
            run = model(card.name)
            with computing_part(card.name):
                steps = list(generate(run, token_ids, max_new_tokens=CONTINUED, use_cache=True))
                first = probabilities(steps[0].logits, 0.0)[steps[0].token_id]
            if card.validation_loss is None:
                continue
            models.append(
                Continued(
                    card.config, card.validation_loss, tuple(step.token_id for step in steps), float(first)
                )
            )
        return Sharing(token_ids, tuple(models))

    return key, _SHARINGS.get(key, make)


def paged(name: str, token_ids: tuple[int, ...]) -> PagedRun:
    """The prompt continued on an unbroken cache and on scattered blocks."""

    def make() -> Paged:
        run = model(name)
        with computing(name):
            new = PAGED_LARGE if is_large(run.config) else PAGED
            return Paged(paged_run(run, token_ids, new))

    return _PAGED.get(identity("paged", name, token_ids), make).run


def steps(setting: Setting, *, again: bool = False) -> Run[Row]:
    """The measurement of a step with the cache and without, begun now if nobody has: one for all who ask.

    Begun anew where nobody had stayed to see it, or where it is wanted `again`. Raises `QueueFull`.
    """
    key = identity("steps", setting)
    with _STEPS_LOCK:
        run = _STEPS.get(key)
        if run is None or again or run.state == "stopped":
            run = _STEPS[key] = LAB.submit(Steps(setting))
            while len(_STEPS) > _MOST_STEPS:
                _STEPS.popitem(last=False)
        run.look()
    return run
