"""What the policies page can measure: loss under every policy, a text without an end, and the first token."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from explainer.kit.measure import SETTLE, Setting, Stopped, placed
from explainer.policies.rules import RULES
from kvengine import Transformer, load_model
from kvengine.errors import ContextLengthError
from kvengine.forgetting import FirstRow, Losses, first_row, losses, masked_losses
from kvengine.generate import sampler
from kvengine.hardware import threads
from kvengine.policies import Policy, PolicyError, Sinks, Window
from kvengine.policy_cache import PolicyCache
from kvengine.streaming import stream

#: Where losses are compared from; also the prompt of a policy that decides at the end of one.
LATE = 128
BUDGETS = (16, 48, 128)


@dataclass(frozen=True)
class LossPoint:
    """One policy at one budget: its mean loss over all tokens, before and after its first eviction, and over
    the tokens from LATE on, which are the same ones for all. `bits` is those of a number at the end."""

    rule: str
    budget: int | None
    rows: int
    bytes: float
    bits: float
    every: float
    before: float
    after: float
    late: float
    first_eviction: int
    seconds: float


def plan() -> list[tuple[str, int]]:
    """The points in the order in which they are measured: what has no budget first, then budget by budget."""
    fixed = [(name, 0) for name in ("full", "int8", "int4", "int2", "kivi")]
    return fixed + [point for budget in BUDGETS for point in plan_at(budget)]


def plan_at(budget: int) -> list[tuple[str, int]]:
    """The points of one budget: of those policies that can work with it."""
    found = []
    for name, rule in RULES.items():
        with suppress(PolicyError):
            if rule.budgeted and rule.make(budget):
                found.append((name, budget))
    return found


@dataclass(frozen=True)
class LossCurve:
    """Policies at their budgets on the same texts, all of one length."""

    setting: Setting
    texts: tuple[tuple[int, ...], ...]
    points: tuple[tuple[str, int], ...]

    def run(self, stopped: Stopped) -> Iterator[LossPoint]:
        with threads(self.setting.threads):
            model = placed(self.setting)
            time.sleep(SETTLE)
            ids = torch.tensor(self.texts, device=model.device)
            for name, budget in self.points:
                rule = RULES[name]
                began = time.perf_counter()
                found = losses(
                    model, ids, rule.make(budget), prompt=LATE if name == "snapkv" else 1, stopped=stopped
                )
                if found.nats.shape[1] < ids.shape[1] - 1:  # stopped on its way
                    return
                yield _point(name, budget, found, model, time.perf_counter() - began)


def _point(name: str, budget: int, found: Losses, model: Transformer, seconds: float) -> LossPoint:
    numbers = int(found.rows[-1]) * model.config.kv_floats_per_token
    split = found.first_eviction
    return LossPoint(
        rule=name,
        budget=budget or None,
        rows=int(found.rows[-1]),
        bytes=float(found.bits[-1]) / 8,
        bits=float(found.bits[-1]) / numbers,
        every=found.mean(),
        before=found.mean(0, split),
        after=found.mean(split),
        late=found.mean(LATE),
        first_eviction=split,
        seconds=seconds,
    )


# ---- past the context ------------------------------------------------------------------------------------

PIECE = 64
#: The caches that run past the context, by their names in the words, and the budget of those that have one.
PAST = ("full", "window", "sinks", "places")
PAST_BUDGET = 128


@dataclass(frozen=True)
class Along:
    """The losses of one cache along a text, in the mean of pieces of PIECE tokens; or why it was refused."""

    rule: str
    means: tuple[float, ...]
    refused: str = ""


@dataclass(frozen=True)
class PastContext:
    """A text longer than the positions of the training, with and without policies."""

    setting: Setting
    token_ids: tuple[int, ...]

    def run(self, stopped: Stopped) -> Iterator[Along]:
        with threads(self.setting.threads):
            model = placed(self.setting, longest=len(self.token_ids))
            ids = torch.tensor([self.token_ids], device=model.device)
            refused = _refusal(placed(self.setting), ids)
            time.sleep(SETTLE)
            for name in PAST:
                found = losses(model, ids, RULES[name].make(PAST_BUDGET), stopped=stopped).nats[0]
                if len(found) < len(self.token_ids) - 1:
                    return
                means = tuple(float(found[i : i + PIECE].mean()) for i in range(0, len(found), PIECE))
                yield Along(name, means, refused if name == "full" else "")


def _refusal(model: Transformer, ids: torch.Tensor) -> str:
    """What the engine says to a text that is longer than its positions."""
    try:
        model(ids)
    except ContextLengthError as error:
        return str(error)
    return ""


@dataclass(frozen=True)
class Streamed:
    """The stream so far, and the probability of the name after the question: asked right after the prompt, at
    this place of the stream, and without any text before it."""

    tokens: int
    seconds: float
    rows: int
    bytes: int
    tail: tuple[int, ...]
    before: float
    after: float
    control: float


@dataclass(frozen=True)
class Stream:
    """Thousands of tokens in a cache of constant size, and the question for the name after every piece."""

    setting: Setting
    ask_ids: tuple[int, ...]
    name_id: int
    budget: int
    tokens: int

    def run(self, stopped: Stopped) -> Iterator[Streamed]:
        policy = Sinks(self.budget, by_place=True)
        with threads(self.setting.threads):
            model = placed(self.setting)
            time.sleep(SETTLE)
            prompt = self.setting.prompt_ids
            before, control = (
                self._asked(model, PolicyCache(model, policy, room=self.budget + 1), fresh)
                for fresh in (prompt, prompt[:1])
            )
            text = list(prompt)
            seconds = 0.0
            for piece in stream(
                model,
                prompt,
                policy,
                budget=self.budget,
                tokens=self.tokens,
                sampler=sampler(0.8),
                stopped=stopped,
            ):
                text += piece.token_ids
                seconds += piece.seconds
                after = self._asked(model, piece.cache.fork(), text[-1:])
                tail = tuple(text[-60:])
                written = len(text) - len(prompt)
                yield Streamed(written, seconds, piece.rows, piece.bytes, tail, before, after, control)

    def _asked(self, model: Transformer, cache: PolicyCache, fresh: Sequence[int]) -> float:
        """The probability of the name, when fresh tokens and the question run behind those in the cache."""
        with torch.inference_mode():
            for token in (*fresh, *self.ask_ids):
                logits = model(torch.tensor([[token]], device=model.device), cache, cache.tap)[0, -1]
        return float(logits.softmax(dim=-1)[self.name_id])


# ---- the first token -------------------------------------------------------------------------------------

#: First rows that are kept beside the window.
FIRSTS = (0, 1, 4)
#: The window of which all is told; those that have points more in the chart; a wide one, for a longer text.
SHOWN, WINDOWS, WIDE = 64, (32, 128), 256


@dataclass(frozen=True)
class FirstPoint:
    """A model with a window and so many first rows; without a window, with the full cache and a `look` at it.

    `silent`: the values of the first row count as zeros; `swapped`: another token stands first in the text.
    `texts` are the losses of which `loss` is the mean, where all texts are equally long.
    """

    model: str
    window: int | None
    firsts: int
    silent: bool
    loss: float
    look: FirstRow | None = None
    swapped: bool = False
    texts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A model, its texts, the first token that counts, one to stand in the first one's place, and the windows
    with a point more in its chart. `briefly`: only what a window with and without first rows costs."""

    name: str
    texts: tuple[tuple[int, ...], ...]
    late: int
    other: int
    briefly: bool = False
    windows: tuple[int, ...] = WINDOWS

    def plan(self) -> list[tuple[int | None, int, bool, bool]]:
        """Window, first rows, silent, swapped: in the order in which they are measured."""
        plan: list[tuple[int | None, int, bool, bool]] = [(None, 0, False, False)]
        plan += [(SHOWN, firsts, False, False) for firsts in FIRSTS]
        if self.briefly:
            return plan
        plan += [(SHOWN, 1, True, False)]
        plan += [(SHOWN, 0, False, True), (SHOWN, 1, False, True), (None, 0, False, True)]
        return plan + [(window, firsts, False, False) for window in self.windows for firsts in FIRSTS]


@dataclass(frozen=True)
class FirstToken:
    """The same windows on several models, each with its own texts, in one masked pass a point."""

    setting: Setting
    models: tuple[Tried, ...]
    known: frozenset[tuple[str, int | None, int, bool, bool]] = frozenset()  # what was measured before

    def run(self, stopped: Stopped) -> Iterator[FirstPoint]:
        with threads(self.setting.threads):
            for of in self.models:
                model = load_model(of.name)
                for window, firsts, silent, swapped in of.plan():
                    if (of.name, window, firsts, silent, swapped) in self.known:
                        continue
                    if stopped():
                        return
                    texts = [(of.other, *ids[1:]) if swapped else ids for ids in of.texts]
                    policy = _policy(window, firsts)
                    nats = [masked_losses(model, ids, policy, silent=silent)[of.late :] for ids in texts]
                    look = None if window else _mean([first_row(model, ids) for ids in texts])
                    loss = float(np.concatenate(nats).mean())
                    each = tuple(float(one.mean()) for one in nats)
                    yield FirstPoint(of.name, window, firsts, silent, loss, look, swapped, each)


def _policy(window: int | None, firsts: int) -> Policy:
    """A window of the newest rows, and first rows beside it: the budget holds both."""
    if window is None:
        return Policy()
    return Sinks(window + firsts, sinks=firsts) if firsts else Window(window)


def _mean(looks: Sequence[FirstRow]) -> FirstRow:
    def mean(field: str) -> float:
        return float(np.mean([getattr(look, field) for look in looks]))

    return FirstRow(mean("weight"), mean("length"), mean("taken"))
