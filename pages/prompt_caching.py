"""Prompt caching: a cache that outlives its request, and what the next request reads of it."""

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.lab import LAB
from explainer.kit.slow import working
from explainer.prompt_caching import visit
from explainer.prompt_caching.choice import PARTS, PromptCachingChoice

NAME = "prompt_caching"
# The texts of this page are its own: of the row above only the model is used.
STYLE = "<style>.st-key-controls :is(.st-key-w_prompt, .st-key-w_example) { display: none; }</style>"

common, own, card = session.common(), session.own(PromptCachingChoice), session.card()
st.html(STYLE)
here = visit.state()


def act() -> None:
    """The learner did something in the scene: sent a prompt, changed a rule, asked for a part."""
    changes = here.act(scene.sent(NAME, "act"), room, common)
    if changes:
        session.choose(**changes)


def look() -> None:
    """The scene waits for what comes after an answer, or wants another part."""
    here.look(scene.sent(NAME, "want"), room)


asked = scene.sent(NAME, "want") or {}
wanted = asked if asked.get("revision") == session.revision() else {}
part, wrong = here.place(wanted, own)
LAB.warm_up()  # a request that is sent will be timed
with working(card.name):
    room = visit.room(card.name, own)
    body = here.part(PARTS[part - 1], wrong, room, own, common, cache.tokenizer(card.name))
scene.mount(
    NAME,
    {
        "revision": session.revision(),
        "at": {"lap": 0, "stage": own.part},
        "part": PARTS[part - 1],
        "body": body,
        **here.frame(room, own),
    },
    on_act_change=act,
    on_controls_change=lambda: None,
    on_want_change=look,
)
