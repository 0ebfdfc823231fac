"""A learner's runs: begun, looked at, stopped, and kept in the session with what they were started with."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from explainer.kit.lab import LAB, TIME_LIMIT, Run
from explainer.kit.measure import Job, Setting, now
from explainer.kit.session import errors_shown
from explainer.kit.waiting import WAITING, ended_line, queue_line

#: Seconds between two looks at a run: each is work on the machine whose clock is running.
POLL = {"race": 0.25}
POLL_OTHERS = 1.0


@dataclass(frozen=True)
class Measured:
    """A run, with what it was started with."""

    run: Run[Any]
    setting: Setting
    size: int
    prompt: str
    when: str  # UTC, when it was started


def measured(name: str) -> Measured | None:
    """The learner's last run of that kind."""
    found: Measured | None = st.session_state.get(f"run_{name}")
    return found


def results(name: str) -> list[Any]:
    """What the last run of that kind has found, once it is over."""
    found = measured(name)
    return found.run.results if found and not found.run.active else []


def polling(name: str) -> float | None:
    """How often to look at the run of that kind, if one is on."""
    found = measured(name)
    return POLL.get(name, POLL_OTHERS) if found and found.run.active else None


def begin(name: str, job: Job[Any], setting: Setting, prompt: str, size: int = 0) -> None:
    """Start a run in place of the one before, and draw the page anew."""
    if before := measured(name):
        before.run.stop()
    with errors_shown():
        run = LAB.submit(job)
    st.session_state[f"run_{name}"] = Measured(run, setting, size, prompt, now())
    st.rerun()


def watched(name: str, was_polling: bool) -> Measured | None:
    """Look at a run: a button to stop it while it is on, its place in line, how it ended.

    `was_polling` says whether the part of the page that this stands in looks again by itself; where that has
    to change, the page is drawn anew.
    """
    found = measured(name)
    if found is None:
        return None
    found.run.look()
    active = found.run.active
    if active:
        st.button(WAITING["stop"], key=f"stop_{name}", icon=":material/stop:", on_click=found.run.stop)
        if ahead := LAB.place(found.run):
            st.info(queue_line(ahead), icon=":material/hourglass_top:")
        elif not found.run.results:
            st.caption(WAITING["warming"])
    elif found.run.state != "done":
        line = ended_line(found.run.state, found.run.error, TIME_LIMIT)
        st.warning(line, icon=":material/info:")
    if active != was_polling:
        st.rerun()
    return found
