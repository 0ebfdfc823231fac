"""Requests that one can edit, and both memories that serve them."""

import streamlit as st

from explainer.kit import scene, session
from explainer.kit.cache import identity
from explainer.kit.controls import chosen, picked, shown
from explainer.kit.slow import working
from explainer.kit.words import plain
from explainer.memory.blocks_scene import from_lines, lines, read
from explainer.memory.blocks_scene import scene as served
from explainer.memory.choice import MemoryChoice
from explainer.memory.numbers import whole
from explainer.memory.runs import PAGED, paged
from explainer.memory.words import label
from kvengine import KVEngineError

NAME = "memory"


def blocks(ids: tuple[int, ...]) -> None:
    """The part of the page: the scene first, what can be edited below it."""
    own, card = session.own(MemoryChoice), session.card()
    place = st.container()
    with st.container(horizontal=True):
        st.text_area(
            label("blocks.requests"),
            height=220,
            **shown("m_requests", lines(own.requests)),
            max_chars=480,
            on_change=lambda: session.choose(requests=from_lines(picked("m_requests", ""))),
        )
        with st.container():
            for name in ("row", "places"):
                st.text_input(
                    label(f"blocks.{name}"),
                    **shown(f"m_{name}", getattr(own, name)),
                    max_chars=40,
                    on_change=chosen(f"m_{name}", name),
                )
    try:
        row, places = whole(own.row, "places in a row"), whole(own.places, "places in all")
        room = card.config.max_seq_len - PAGED
        with place, working(card.name):
            proof = paged(card.name, ids[:room])
        drawn = served(read(own.requests), places=places, row=row, proof=proof)
    except KVEngineError as error:
        place.error(plain(str(error)), icon=":material/error:")
        return
    with place:
        scene.mount(
            NAME,
            {
                "part": "blocks",
                "key": identity(own.requests, row, places),
                "revision": session.revision(),
                "step": own.step,
            }
            | drawn,
            on_shape_change=lambda: None,
        )
