"""The parts of the memory page: each computes what it shows when it is opened."""

from collections.abc import Callable

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.charts import chart, palette, prose
from explainer.kit.sheet import to_csv
from explainer.kit.slow import working
from explainer.memory import figures
from explainer.memory.choice import MemoryChoice
from explainer.memory.heads_scene import scene as sharing_heads
from explainer.memory.runs import growth, sharing
from explainer.memory.scene import measured
from explainer.memory.scene import scene as growing
from explainer.memory.show_blocks import blocks
from explainer.memory.show_model import model
from explainer.memory.show_speed import speed
from explainer.memory.trade_scene import scene as traded
from explainer.memory.words import label, tell

NAME = "memory"


def now(ids: tuple[int, ...]) -> None:
    """The cache that grows, with the formula beside its very tensors."""
    common, own, card = session.common(), session.own(MemoryChoice), session.card()
    with working(card.name):
        key, found = growth(card.name, ids, temperature=common.temperature, seed=common.seed)
    sent = scene.sent(NAME, "shape") or own.shape
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


def trade(ids: tuple[int, ...]) -> None:
    """The table with and without, and the growth as a line."""
    common, card = session.common(), session.card()
    scene.mount(NAME, {"part": "trade"} | traded(card.config, len(ids)), on_shape_change=lambda: None)
    with working(card.name):
        _, found = growth(card.name, ids, temperature=common.temperature, seed=common.seed)
    counts = range(len(ids), len(ids) + len(found.used))
    st.subheader(label("trade.growth.title"), anchor=False)
    prose(tell("trade.growth.text", token=f"{found.used[1] - found.used[0]:,} bytes"))
    alt = label("trade.growth.alt", first=f"{found.used[0]:,}", last=f"{found.used[-1]:,}")
    chart(figures.straight(counts, found.used, palette()), "cache-growth", alt)
    lines = [{"tokens": n, "bytes": used} for n, used in zip(counts, found.used, strict=True)]
    st.download_button(
        label("trade.growth.csv"),
        to_csv(lines),
        label("trade.growth.csv_file"),
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
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
