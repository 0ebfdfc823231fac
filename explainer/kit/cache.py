"""What all visitors share: models, tokenizers, and what was computed with them. The one place with caches."""

import threading
from collections.abc import Callable
from hashlib import blake2b

import streamlit as st
import torch

from explainer.kit.shelf import Shelf
from kvengine import (
    CheckpointError,
    ModelCard,
    Recording,
    Tokenizer,
    Transformer,
    Walk,
    available_models,
    load_model,
    load_tokenizer,
    sampler,
)

MIB = 2**20

#: Recorded walks of all visitors together. One of the default prompt takes 1 MiB, one at the last positions 9.
WALKS: Shelf[str, Walk] = Shelf(384 * MIB)

#: One place that computes: many threads with tiny operations would only wait for each other in the middle.
COMPUTING = threading.Lock()

#: A long walk is recorded in parts, so that a link into its middle opens at once and no part grows large.
PART = 32

#: Steps recorded ahead of the learner, so that stepping never waits; the last serves only the one before it.
#: Each is proved by a naive pass, which takes its time on a long text.
AHEAD, AHEAD_OF_A_LONG_TEXT, LONG = 12, 6, 128


@st.cache_resource(show_spinner=False)
def cards() -> tuple[ModelCard, ...]:
    """The models at hand, at least one."""
    found = available_models()
    if not found:
        raise CheckpointError("No model was found; put a model's complete directory where the models are.")
    return found


@st.cache_resource(show_spinner=False, max_entries=16)
def model(name: str) -> Transformer:
    """A shipped model, shared by all sessions."""
    return load_model(name)


@st.cache_resource(show_spinner=False, max_entries=16)
def tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a shipped model."""
    return load_tokenizer(name)


def warm_up() -> None:
    """Once, before the first visitor: one token through a small model is too little work to share."""
    torch.set_num_threads(1)


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
    """The part of a walk that holds `position`, recorded some steps past it, and the name it is kept under.

    The walk starts behind `history` tokens. Shared by all who chose the same. `progress(done, wanted)` is
    called before each step that has to be recorded now.
    """
    start = history + (position - history) // PART * PART
    ahead = AHEAD if position <= LONG else AHEAD_OF_A_LONG_TEXT
    key = identity("walk", name, token_ids, start, temperature, seed)

    def make() -> Walk:
        with COMPUTING:
            return Walk(
                model(name),
                token_ids,
                history=start,
                sampler=sampler(temperature, seed=seed),
                most_steps=PART + AHEAD,
            )

    walk = WALKS.get(key, make)
    wanted = min(position - start + ahead, walk.most_steps)
    taken = walk.record(0)
    while len(taken.steps) < wanted:
        progress(len(taken.steps), wanted)
        with COMPUTING:  # step by step, so that others get their turn
            taken = walk.record(len(taken.steps) + 1)
    return key, taken
