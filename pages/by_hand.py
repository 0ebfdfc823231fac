"""Two rounds of generation that one can check with a pencil, with the learner's own numbers."""

import streamlit as st

from explainer.by_hand.choice import HandChoice, edited, given
from explainer.by_hand.runs import runs_of
from explainer.by_hand.scene import scene as drawn
from explainer.kit import cache, scene, session
from explainer.kit.words import plain

NAME = "by_hand"
# The row above the other pages chooses among the trained models; this page has one of its own.
STYLE = """<style>
[data-testid="stLayoutWrapper"]:has(.st-key-controls) { display: none; }
@page { size: A4; margin: 12mm 13mm; }
@media print {
  .stApp, body { background: white !important; }
  .stMainBlockContainer { padding: 0 !important; }
  .stAlert { display: none; } /* the sheet has its two pages to itself */
}
</style>"""

st.html(STYLE)
own = session.own(HandChoice)
numbers, notes = given(own)
for note in notes:
    st.warning(plain(note), icon=":material/info:")


def take() -> None:
    """Go on with what the learner has written, unless a field of it is no number: then say which."""
    changes, fields, why = edited(scene.sent(NAME, "fields") or {})
    st.session_state["hand_wrong"] = {"fields": fields, "why": why, "revision": session.revision()}
    if changes:
        session.choose(**changes)


def reset() -> None:
    st.session_state["hand_wrong"] = None
    fresh = HandChoice()
    session.choose(
        words=fresh.words, embed=fresh.embed, wq=fresh.wq, wk=fresh.wk, wv=fresh.wv, unit=fresh.unit
    )


refused = st.session_state.get("hand_wrong")
scene.mount(
    NAME,
    {
        "key": cache.identity(numbers),
        "revision": session.revision(),
        "at": {"lap": 0, "stage": own.step},
        "wrong": own.wrong,
        # What was refused before the learner went elsewhere is forgotten.
        "refused": refused if refused and refused["revision"] == session.revision() else None,
    }
    | drawn(numbers, runs_of(numbers.numbers, numbers.prompt)),
    on_fields_change=take,
    on_example_change=reset,
)
