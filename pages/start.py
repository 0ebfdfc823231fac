"""The idea in a minute: the same text written twice, with a cache and without, and what has to be kept."""

import streamlit as st

from explainer.kit import address, cache, scene, session
from explainer.kit.choice import titled
from explainer.kit.slow import Sketch, working
from explainer.kit.words import say
from explainer.start.choice import LONGEST, PLAYED, TRIED_LARGE, StartChoice
from explainer.start.runs import outcomes, written
from explainer.start.scene import choices
from explainer.start.scene import scene as drawn
from explainer.start.words import WORDS

NAME = "start"

common, own, card = session.common(), session.own(StartChoice), session.card()
prompt, tokenizer = session.prompt_ids(), cache.tokenizer(card.name)

if len(prompt) == 1:
    st.info(WORDS["prompt"]["empty"], icon=":material/info:")
elif len(prompt) > LONGEST:
    used = {"tokens": f"{len(prompt):,}", "used": str(LONGEST)}
    st.info(say(WORDS["prompt"]["long"], **used), icon=":material/info:")

ids = prompt[:LONGEST]
temperature, seed = common.temperature, common.seed
told = say(WORDS["prompt"]["writing"], name=titled(card.name), words=PLAYED)
sides = tuple(WORDS["writer"][side]["title"] for side in ("naive", "cached"))
with working(card.name, told, sketch=Sketch(NAME, WORDS["title"], say(WORDS["lead"]), sides)) as progress:
    key, found = written(card.name, ids, temperature=temperature, seed=seed, progress=progress)
tried = {}
# The choices are run when somebody is about to make one. What stands above the scene is the same in every
# run: else the scene would be off the page meanwhile.
with working(card.name, say(WORDS["prompt"]["trying"], words=TRIED_LARGE)) as progress:
    if own.part == 2 or scene.sent(NAME, "trying") == key:
        tries = outcomes(card.name, ids, temperature=temperature, seed=seed, progress=progress)
        tried = choices(tries.by_kept, found.writing.cached_ids[len(ids) :], tokenizer.texts)

scene.mount(
    NAME,
    {
        "key": key,
        "revision": session.revision(),
        "at": {"lap": min(own.word, len(found.writing.words)), "stage": own.part},
        "keep": own.keep,
        "link": address.write(common),
        "tried": tried,
        # A real model takes its time over the choices: they are run when somebody opens them, not before.
        "ahead": not cache.large(card.name),
    }
    | drawn(found.writing, found.times, card.config, tokenizer.texts),
    on_trying_change=lambda: None,
    on_controls_change=lambda: None,
)
