"""The glossary: each term in two sentences, and a place where one can see it."""

import streamlit as st

from explainer.glossary.words import scene as terms
from explainer.kit import scene

# Nothing is computed here, so there is nothing to choose.
st.html('<style>[data-testid="stLayoutWrapper"]:has(> .st-key-controls) { display: none; }</style>')
scene.mount("glossary", terms())
