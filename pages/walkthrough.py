"""The five-stage walkthrough of one generated token, and of the next one, and the next."""

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.controls import more_controls, picked, shown
from explainer.kit.slow import working
from explainer.kit.words import say
from explainer.walkthrough.choice import LENGTHS, WalkthroughChoice, end_of, history_of
from explainer.walkthrough.scene import scene as drawn
from explainer.walkthrough.scene import version
from explainer.walkthrough.words import WORDS

NAME = "walkthrough"

# In a low window the picture needs the room of the row above: it waits until somebody asks for it, except
# where an error stands in the place of the picture and its button.
STYLE = """<style>
@media (max-height: 800px) {
  body:not(.kv-asked, :has([data-testid="stAlertContentError"]))
    [data-testid="stLayoutWrapper"]:has(> .st-key-controls) {
    position: absolute; width: 100%; height: 0; overflow: hidden; visibility: hidden;
  }
}
</style>"""

st.html(STYLE)
common, own, card = session.common(), session.own(WalkthroughChoice), session.card()
prompt, tokenizer, positions = session.prompt_ids(), cache.tokenizer(card.name), end_of(card.config)
history = history_of(own, len(prompt))

with more_controls():
    st.select_slider(
        "Tokens in the cache",
        sorted({*(n for n in LENGTHS if n < positions), history}),
        **shown("w_history", history),
        width=170,
        on_change=lambda: session.choose(history=picked("w_history", history), token=-1),
        help="How much history stands in the cache when the walkthrough starts. A longer prompt is cut, "
        "a shorter one is continued by the model.",
    )
if len(prompt) == 1:
    st.info(WORDS["prompt"]["empty"], icon=":material/info:")
elif len(prompt) > (positions if own.history else history + 1):
    told = {
        "tokens": f"{len(prompt):,}",
        "positions": f"{card.config.max_seq_len:,}",
        "kept": str(history_of(WalkthroughChoice(), len(prompt))),
    }
    st.info(say(WORDS["prompt"]["long"], **told, used=str(history + 1)), icon=":material/info:")

# What the learner sees, unless the scene has gone on by itself and asks for more.
walk = cache.identity(card.name, prompt[: history + 1], history, common.temperature, common.seed)
asked = scene.sent(NAME, "at") or {}
opens_at = max(own.token, history)
position = (
    asked["position"]
    if asked.get("walk") == walk and asked.get("revision") == session.revision()
    else opens_at
)

# On a long text, and in a real model, each step takes a while: tell how far it is.
with working(card.name, slow=position > cache.LONG) as progress:
    key, recorded = cache.recording(
        card.name,
        # The prompt is cut where the walk begins: what stands behind it the model has written.
        prompt[: history + 1],
        history=history,
        position=position,
        temperature=common.temperature,
        seed=common.seed,
        progress=lambda done, wanted: progress(
            done, wanted, say(WORDS["prompt"]["computing"], done=done, wanted=wanted)
        ),
    )
layer, head = common.layer, common.head
scene.mount(
    NAME,
    {
        "walk": walk,
        "revision": session.revision(),
        "at": {"lap": opens_at, "stage": own.stage},
        "history": history,
        "prompt_length": min(len(prompt), history + 1),
        "operands": [f"operands/weights/{card.name}/{layer}", f"operands/walk/{key}/{layer}/{recorded.rows}"],
        "proofs": f"proofs/{key}",
        "wording": f"operands/words/{card.name}?{version(card.config)}",
    }
    | drawn(
        recorded,
        tokenizer.texts(recorded.token_ids),
        tokenizer.token_text,
        layer=layer,
        head=head,
        position=position,
    ),
    on_at_change=lambda: None,
    on_view_change=lambda: session.choose(**scene.sent(NAME, "view")),
)
