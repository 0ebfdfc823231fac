"""What a learner's runs have found together: one that ended early is gone on with, not begun anew."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import streamlit as st

from explainer.kit.runs import Measured, measured

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def gathered(run: str, of: Hashable, is_of: Callable[[Measured], bool], mark: Callable[[T], K]) -> dict[K, T]:
    """All results of runs by that name about `of`, by their mark, the last one's so far among them."""
    found: dict[K, T] = st.session_state.setdefault(f"kept_{run}_{of}", {})
    last: Any = measured(run)
    if last and is_of(last):
        found |= {mark(result): result for result in last.run.results}
    return found
