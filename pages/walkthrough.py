"""The five-stage walkthrough of one generated token, and of the next one, and the next."""

import streamlit as st

from explainer import ui
from explainer.components.walkthrough import walkthrough
from explainer.scenes.walkthrough import scene
from explainer.story.walkthrough import prompt_notes

# Steps recorded ahead of the learner, so that stepping never waits; the last serves only the one before it.
# Each is proved by a naive pass, which takes its time on a long text.
AHEAD, AHEAD_OF_A_LONG_TEXT, LONG = 14, 6, 128
KEY = "walkthrough"

choice, card = ui.choice(), ui.card()
prompt, history = ui.prompt_ids(), ui.history_of(choice)
walk_id = f"{card.name} {hash(prompt)} {history} {choice.temperature} {choice.seed}"

for note in prompt_notes(card.config, prompt_tokens=len(prompt), history=history):
    st.info(note, icon=":material/info:")

opens_at = max(choice.token, history)
reached = st.session_state.get(KEY, {}).get("at") or {}
position = reached["position"] if reached.get("id") == walk_id else opens_at
walk = ui.walk(position, AHEAD if position <= LONG else AHEAD_OF_A_LONG_TEXT)


def pick_head() -> None:
    ui.choose(**st.session_state[KEY]["view"])


data = scene(
    walk,
    ui.tokenizer(card.name).token_text,
    layer=choice.layer,
    head=choice.head,
    walk_id=walk_id,
    history=history,
    prompt_length=min(len(prompt), history + 1),
)
walkthrough(
    data | {"at": {"position": opens_at, "stage": choice.stage}},
    key=KEY,
    on_at_change=lambda: None,
    on_view_change=pick_head,
)
