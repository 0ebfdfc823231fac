"""The parts of the memory page: each computes what it shows when it is opened."""

from collections.abc import Callable

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.slow import working
from explainer.kit.words import plain
from explainer.memory.choice import MemoryChoice
from explainer.memory.heads_scene import scene as sharing_heads
from explainer.memory.runs import growth, sharing
from explainer.memory.scene import Dragged, measured
from explainer.memory.scene import scene as growing
from explainer.memory.show_blocks import blocks
from explainer.memory.show_model import model
from explainer.memory.show_speed import speed
from explainer.memory.show_trade import trade
from explainer.memory.words import label
from kvengine.memory import SizeError

NAME = "memory"


def now(ids: tuple[int, ...]) -> None:
    """The cache that grows, with the formula beside its very tensors."""
    common, own, card = session.common(), session.own(MemoryChoice), session.card()
    with working(card.name):
        key, found = growth(card.name, ids, temperature=common.temperature, seed=common.seed)
    sent = scene.sent(NAME, "shape")
    if own.shape and not sent:
        try:
            Dragged.read(own.shape)
        except SizeError as error:
            st.warning(plain(f"{error} {label('now.running')}"), icon=":material/info:")
    sent = sent or own.shape
    scene.mount(
        NAME,
        {
            "part": "now",
            "key": key,
            "revision": session.revision(),
            "grown": own.grown,
            "shape": own.shape,
            "measured": measured(sent) if sent else None,
        }
        | growing(found, card.config, cache.tokenizer(card.name).texts),
        on_shape_change=lambda: None,
    )


def heads(_ids: tuple[int, ...]) -> None:
    """The models that share keys and values."""
    own, shipped = session.own(MemoryChoice), cache.cards()[0]
    key, found = sharing(session.common().prompt)
    scene.mount(
        NAME,
        {"part": "heads", "key": key, "revision": session.revision(), "sharing": own.sharing}
        | sharing_heads(found, cache.tokenizer(shipped.name).texts),
        on_shape_change=lambda: None,
    )


#: The parts that run the prompt.
WITH_TEXT = {"now", "heads", "blocks", "trade"}
SHOWN: dict[str, Callable[[tuple[int, ...]], None]] = {
    "now": now,
    "model": model,
    "heads": heads,
    "speed": speed,
    "blocks": blocks,
    "trade": trade,
}
