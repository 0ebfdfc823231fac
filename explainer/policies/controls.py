"""What the parts of the page share: the budget as a slider, and what was run as a file."""

import streamlit as st

from explainer.kit import session
from explainer.kit.charts import csv_button
from explainer.kit.controls import chosen, shown
from explainer.policies.choice import PoliciesChoice
from explainer.policies.words import label, tell

#: The slider's most; an address may name any budget up to the model's positions.
DRAGGED = 64


def budget_slider(key: str, again: str = "", most: int = DRAGGED) -> None:
    """`again` is set in the session when the slider was moved, for a part that then measures anew."""
    budget = session.own(PoliciesChoice).budget
    choose = chosen(key, "budget")

    def moved() -> None:
        choose()
        if again:
            st.session_state[again] = True

    st.slider(
        label("page.budget"),
        0,
        max(most, budget),
        **shown(key, budget),
        width=250,
        help=tell("page.budget_help"),
        on_change=moved,
    )


def save(csv: str, name: str) -> None:
    """Offer what a chart or table shows as a file."""
    csv_button(csv, label("page.csv"), f"{name}.csv")
