"""What all visitors share: models, tokenizers, and what was computed with them. The one place with caches."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

import streamlit as st

from explainer.kit.line import Line
from explainer.kit.shelf import Shelf
from explainer.kit.turn import give_way
from kvengine import (
    CheckpointError,
    ModelCard,
    Recording,
    Tokenizer,
    Transformer,
    Walk,
    available_models,
    further_models,
    load_model,
    load_tokenizer,
    sampler,
    written,
)
from kvengine.chat import chat_ids
from kvengine.experiments import Premise, Recomputation, recompute, text_of_length
from kvengine.hardware import chosen_device
from kvengine.weights import load_chat_template

MIB = 2**20


def walks_budget(environment: Mapping[str, str]) -> int:
    """MiB for the recorded walks of all visitors: `EXPLAINER_WALKS`, or enough for a class of a hundred.

    A walk takes 1 MiB with the default prompt, 3 behind 200 tokens, 9 at the last positions. Raises
    `ValueError` for what is no number from 16.
    """
    said = environment.get("EXPLAINER_WALKS", "384").strip()
    if not said.isdecimal() or int(said) < 16:
        raise ValueError(f"EXPLAINER_WALKS has {said!r}, which is not a whole number of MiB, 16 or more.")
    return int(said)


WALKS: Shelf[str, Walk] = Shelf(walks_budget(os.environ) * MIB)


@dataclass(frozen=True)
class Compared:
    """A recomputation, and what it takes of the memory."""

    found: Recomputation
    model: Transformer
    nbytes: int


#: Two compared steps, of all visitors together. Those of the default prompt take 1 MiB, over 64 tokens 6.
RECOMPUTATIONS: Shelf[str, Compared] = Shelf(128 * MIB)

#: One place that computes: many threads with tiny operations would only wait for each other in the middle.
COMPUTING = threading.Lock()

#: A real model takes a hundred times as long: who asks for it waits for others who do, and for nobody else.
_COMPUTING_LARGE = Line()


@lru_cache(maxsize=64)
def large(name: str) -> bool:
    """Is it a real model, whose passes take their time? None of those that ship is."""
    return name not in {card.name for card in cards()}


def computing(name: str) -> AbstractContextManager[object]:
    """What a thread holds while it runs the model of this name: not for long, since others wait for it."""
    return _COMPUTING_LARGE if large(name) else COMPUTING


def computing_part(name: str) -> AbstractContextManager[object]:
    """The same for one of several parts, before which one of those who wait for their turn comes first."""
    give_way()
    return computing(name)


#: A long walk is recorded in parts, so that a link into its middle opens at once and no part grows large.
PART = 32

#: Steps recorded ahead of the learner, at least, so that stepping never waits, and sent along, at most. The
#: last serves only the one before it.
AHEAD, SENT = 4, 5

#: So many steps are recorded together, proved by one naive pass, which takes its time past LONG tokens.
BLOCK, LONG = 16, 128

#: A real model is asked for the step shown and the one behind it, each by itself: others wait for it, too.
AHEAD_LARGE, BLOCK_LARGE = 2, 1

#: Tokens that are written at a time where a text has to become longer before its walk begins.
WRITTEN = 16


@st.cache_resource(show_spinner=False)
def cards() -> tuple[ModelCard, ...]:
    """The models that ship, at least one."""
    found = available_models()
    if not found:
        raise CheckpointError("No model was found; put a model's complete directory where the models are.")
    return found


@st.cache_resource(show_spinner=False)
def further() -> tuple[ModelCard, ...]:
    """The real language models that the operator has put beside them."""
    return further_models()


@st.cache_resource(show_spinner=False, max_entries=16)
def model(name: str) -> Transformer:
    """A model, shared by all sessions; a real one where the operator wants it."""
    return load_model(name, device=chosen_device() if large(name) else "cpu")


@st.cache_resource(show_spinner=False, max_entries=16)
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a model."""
    return load_tokenizer(name)


def identity(*parts: object) -> str:
    """A short name for what was computed from these inputs: the same inputs, the same name."""
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def recording(
    name: str,
    token_ids: tuple[int, ...],
    *,
    history: int,
    position: int,
    temperature: float,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> tuple[str, Recording]:
    """The part of a walk that holds `position`, up to some steps past it, and the name it is kept under.

    The walk starts behind `history` tokens. Shared by all who chose the same. `progress(done, wanted)` counts
    the tokens that have to run before `position` can be shown. A real model's steps are left to be proved.
    """
    start = history + (position - history) // PART * PART
    key, key_before = (
        identity("walk", name, token_ids, part, temperature, seed) for part in (start, start - PART)
    )

    draw = sampler(temperature, seed=seed)
    needed = position - start + 1
    ran = 0

    def make() -> Walk:
        nonlocal ran
        before = WALKS.peek(key_before)
        text = before.record(0) if before else None
        ids, chances = list(text.token_ids if text else token_ids), dict(text.chances if text else {})
        more = written(model(name), ids.copy(), start + 1, draw)
        missing = start + 1 - len(ids)
        while len(ids) <= start:
            progress(ran, missing + needed)
            with computing_part(name):
                for token_id, chance in islice(more, WRITTEN):
                    chances[len(ids)] = chance
                    ids.append(token_id)
                    ran += 1
        with computing(name):
            return Walk(
                model(name),
                ids,
                chances=chances,
                history=start,
                sampler=draw,
                most_steps=PART + AHEAD,
                prove_now=not large(name),
            )

    walk = WALKS.get(key, make)
    ahead, block = (AHEAD_LARGE, BLOCK_LARGE) if large(name) else (AHEAD, BLOCK)
    wanted = needed - 1 + ahead
    if needed > 1:  # who only opens the page does not wait for a whole block
        wanted = -(-wanted // block) * block
    wanted = min(wanted, walk.most_steps)
    done = walk.extend(0)
    while done < wanted:
        if done < needed:  # the rest is for later
            progress(ran + done, ran + needed)
        with computing_part(name):
            done = walk.extend(min(done + block, wanted))
    return key, walk.record(0).until(min(start + wanted, position + 1 + SENT))


@st.cache_resource(show_spinner=False, max_entries=16)
def chat_template(name: str) -> str | None:
    """What turns a message into a text that the model was trained to answer; None where it was not."""
    return load_chat_template(name)


@lru_cache(maxsize=1024)
def prompt_tokens(name: str, prompt: str, *, chat: bool = False) -> tuple[int, ...]:
    """A prompt as the tokens of a model, the start token first; with `chat` as a message in its template."""
    template = chat_template(name) if chat else None
    if template is not None:
        return tuple(chat_ids(tokenizer(name), template, [("user", prompt)]))
    return tuple(tokenizer(name).encode(prompt))


def recomputation(
    name: str, token_ids: tuple[int, ...], *, t: int, premise: int, temperature: float, seed: int
) -> tuple[str, Recomputation]:
    """The naive step behind `t` tokens held against the step before it, and the name it is kept under.

    The text is cut or continued to its t + 1 tokens. `premise` -1 takes the mask off, n > 0 changes the token
    at position n, 0 leaves all as it is.
    """
    key = identity("recomputation", name, token_ids[: t + 1], t, premise, temperature, seed)

    def make() -> Compared:
        with computing(name):
            run = model(name)
            draw = sampler(temperature, seed=seed)
            found = recompute(
                run,
                text_of_length(run, token_ids, t + 1, sampler=draw),
                Premise(causal=premise != -1, changed=premise if premise > 0 else None),
                sampler=draw,
                temperature=temperature,
            )
        parts = [array for cells in found.tensors.values() for array in (cells.was, cells.now, cells.state)]
        return Compared(found, run, sum(array.nbytes for array in (*parts, *found.gates.values())))

    return key, RECOMPUTATIONS.get(key, make).found
