"""Measurements and traces turned into plotly figures: pure functions."""
