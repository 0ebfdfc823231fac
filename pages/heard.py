"""You may have heard: what is commonly said of the cache, what is true, and where to see it."""

import streamlit as st

from explainer.heard.words import scene as claims
from explainer.kit import scene

# Nothing is computed here, so there is nothing to choose.
st.html('<style>[data-testid="stLayoutWrapper"]:has(> .st-key-controls) { display: none; }</style>')
scene.mount("heard", claims())
