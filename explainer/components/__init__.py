"""Streamlit components, version 2: a folder each with its JavaScript, its CSS and its mount function."""
