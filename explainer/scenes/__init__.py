"""Traces turned into what a component draws: plain dicts and encoded arrays, no streamlit."""
