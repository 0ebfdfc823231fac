"""The five-stage walkthrough of one generated token, and of the next one, and the next."""

import streamlit as st

from explainer import ui
from explainer.components.walkthrough import walkthrough
from explainer.scenes.walkthrough import scene
from explainer.story.walkthrough import prompt_notes

# Recorded ahead of the learner, so that stepping never waits; the last one only serves the one before it.
AHEAD = 6
KEY = "walkthrough"

choice, card, tokenizer = ui.choice(), ui.card(), ui.tokenizer(ui.card().name)
walk = ui.walk()
walk_id = f"{card.name} {hash(ui.prompt_ids())} {walk.history} {choice.temperature} {choice.seed}"

for note in prompt_notes(card.config, prompt_tokens=len(ui.prompt_ids()), history=walk.history):
    st.info(note, icon=":material/info:")

reached = st.session_state.get(KEY, {}).get("at") or {}
position = max(choice.token, walk.history)
if reached.get("id") == walk_id:
    position = max(position, reached["position"])
walk.extend(position - walk.history + AHEAD)


def pick_head() -> None:
    ui.choose(**st.session_state[KEY]["view"])


data = scene(walk, tokenizer.token_text, layer=choice.layer, head=choice.head, walk_id=walk_id)
walkthrough(
    data | {"at": {"position": max(choice.token, walk.history), "stage": choice.stage}},
    key=KEY,
    on_at_change=lambda: None,
    on_view_change=pick_head,
)
