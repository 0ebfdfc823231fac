"""What the cache takes in memory: here, in large models, for many texts, and what makes it smaller."""

import streamlit as st

from explainer.kit import session
from explainer.kit.charts import palette
from explainer.kit.controls import part_control
from explainer.memory import show
from explainer.memory.choice import LONGEST, PARTS, MemoryChoice
from explainer.memory.words import tell

# Headings as large as those in the scenes, and sizes that break into lines.
STYLE = """<style>
.stMainBlockContainer [data-testid="stHeading"] h1 { font-size: 1.6rem; padding: 0.2rem 0 0.5rem; }
.stMainBlockContainer [data-testid="stHeading"] h2 { font-size: 1.25rem; padding: 0.6rem 0 0.4rem; }
.stMainBlockContainer [data-testid="stCaptionContainer"] * { color: inherit; }
.stMainBlockContainer [data-testid="stCaptionContainer"] { color: inherit; opacity: 0.8; }
.stMainBlockContainer .kv-sizes { display: flex; flex-wrap: wrap; gap: 0.3rem 2.6rem; margin: 0; padding: 0; }
.kv-sizes dt { margin: 0; padding: 0; }
.kv-sizes dt { font-size: 0.9rem; }
.kv-sizes dd { margin: 0; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.stMainBlockContainer [data-testid="stTable"] td:not(:first-child) { white-space: nowrap; }
@media (max-width: 900px) {
  .st-key-calculator > [data-testid="stLayoutWrapper"] > .stHorizontalBlock { flex-wrap: wrap; gap: 1rem; }
  .st-key-calculator > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn { min-width: 100%; }
}
/* On a phone the answer stays in sight above what is typed, and a table's columns fit. The controls come
   below what a part says, until a scene is asked for them. */
@media (max-width: 640px) {
  body:not(.kv-asked) [data-testid="stLayoutWrapper"]:has(> .st-key-controls) { order: 1; }
  [data-testid="stLayoutWrapper"]:has(> .st-key-path_foot) { order: 2; }
  .st-key-m_part [role="radiogroup"] { flex-wrap: nowrap; overflow-x: auto; scrollbar-width: none; }
  .st-key-m_part button { flex: none; }
  .st-key-m_part [data-selected="true"] { scroll-initial-target: nearest; }
  .st-key-calculator > [data-testid="stLayoutWrapper"] > .stHorizontalBlock { flex-flow: column; }
  .stColumn:has(.kv-sizes), .stColumn > .stVerticalBlock:has(.kv-sizes) { display: contents; }
  .stElementContainer:has(.kv-sizes) { position: sticky; top: 2.7rem; z-index: 5; order: -1;
    background: PAPER; border-bottom: 1px solid rgba(128, 128, 128, 0.35); }
  .stMainBlockContainer .kv-sizes { gap: 0 0.9rem; padding: 0.3rem 0; }
  .kv-sizes dt { font-size: 0.8rem; }
  .kv-sizes dd { font-size: 1.05rem; }
  .stMainBlockContainer [data-testid="stTable"] :is(th, td) { padding: 0.25rem 0.2rem; font-size: 0.75rem; }
}
</style>"""

st.html(STYLE.replace("PAPER", palette().paper))
part = part_control(tell("page.part"), PARTS, session.own(MemoryChoice).part, "m_part")
prompt = session.prompt_ids()
if part in show.WITH_TEXT and len(prompt) > LONGEST:
    st.info(tell("page.prompt_long", tokens=f"{len(prompt):,} tokens", used=f"{LONGEST}"))
show.SHOWN[part](prompt[:LONGEST])
