"""Cache policies: rows that are dropped or rounded, and what the running model loses by it."""

import streamlit as st

from explainer.kit import session
from explainer.kit.controls import part_control
from explainer.policies import show
from explainer.policies.choice import PARTS, PoliciesChoice
from explainer.policies.words import tell

# The texts of this page are its own: the row above waits until somebody asks for another prompt or model.
STYLE = """<style>
.stMainBlockContainer [data-testid="stHeading"] h1 { font-size: 1.6rem; padding: 0.2rem 0 0.5rem; }
.stMainBlockContainer [data-testid="stHeading"] h2 { font-size: 1.25rem; padding: 0.6rem 0 0.4rem; }
@media (max-width: 800px) { .st-key-p_part button { padding-inline: 0.6rem; } }
@media (max-width: 640px) {
  .st-key-policy_controls { gap: 0.4rem 0.6rem !important; }
  .st-key-policy_controls > div { flex: 1 1 calc(50% - 0.5rem) !important; width: auto !important; }
  .st-key-policy_controls > div:nth-child(n + 4) { flex-basis: 20% !important; min-width: 0 !important; }
  .st-key-p_part [role="radiogroup"] { flex-wrap: nowrap; overflow-x: auto; scrollbar-width: none; }
  .st-key-p_part button { flex: none; }
  .st-key-p_part [data-selected="true"] { scroll-initial-target: nearest; }
}
body:not(.kv-asked) [data-testid="stLayoutWrapper"]:has(> .st-key-controls) {
  position: absolute; width: 100%; height: 0; overflow: hidden; visibility: hidden;
}
</style>"""

st.html(STYLE)
part = part_control(tell("page.part"), PARTS, session.own(PoliciesChoice).part, "p_part")
show.SHOWN[part]()
