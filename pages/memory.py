"""What the cache takes in memory: here, in large models, for many texts, and what makes it smaller."""

import streamlit as st

from explainer.kit import session
from explainer.kit.controls import part_control
from explainer.memory import show
from explainer.memory.choice import LONGEST, PARTS, MemoryChoice
from explainer.memory.words import tell

# Headings as large as those in the scenes, and sizes that break into lines.
STYLE = """<style>
.stMainBlockContainer [data-testid="stHeading"] h2 { font-size: 1.6rem; padding: 0.2rem 0 0.5rem; }
.stMainBlockContainer [data-testid="stHeading"] h3 { font-size: 1.25rem; padding: 0.6rem 0 0.4rem; }
.stMainBlockContainer [data-testid="stCaptionContainer"] * { color: inherit; }
.stMainBlockContainer [data-testid="stCaptionContainer"] { color: inherit; opacity: 0.8; }
.kv-sizes { display: flex; flex-wrap: wrap; gap: 0.3rem 2.6rem; margin: 0; padding: 0; }
.kv-sizes dt { margin: 0; padding: 0; }
.kv-sizes dt { font-size: 0.9rem; }
.kv-sizes dd { margin: 0; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
@media (max-width: 900px) {
  .st-key-calculator > [data-testid="stLayoutWrapper"] > .stHorizontalBlock { flex-wrap: wrap; gap: 1rem; }
  .st-key-calculator > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn { min-width: 100%; }
}
</style>"""

st.html(STYLE)
part = part_control(tell("page.part"), PARTS, session.own(MemoryChoice).part, "m_part")
prompt = session.prompt_ids()
if part in show.WITH_TEXT and len(prompt) > LONGEST:
    st.info(tell("page.prompt_long", tokens=f"{len(prompt):,} tokens", used=f"{LONGEST}"))
show.SHOWN[part](prompt[:LONGEST])
