"""How a scene gets onto a page: one component for all of them, which loads the scene's module by its name."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import streamlit as st

from explainer.kit import session
from explainer.kit.encode import pack

_TORCH = version("torch")
_ROOT = '<div class="scene-root" role="region" aria-busy="true"></div>'


@cache
def _component() -> Any:
    # Files below the package's asset_dir, named in pyproject.toml.
    return st.components.v2.component("explainer.scene", html=_ROOT, js="web/main.js", css="web/kit.css")


def mount(name: str, scene: Mapping[str, Any], key: str = "", **on_change: Callable[[], None]) -> None:
    """Draw `explainer/<name>/scene.js` with what `scene` holds: plain values, and arrays at any depth.

    What never changes need not travel with every run: `wording` names an address of the app's under which the
    browser finds it, packed, and fetches it once.

    State that the scene sends to Python comes back as `st.session_state[name][...]`; each `on_<state>_change`
    names one and is called when it changes. Where a page draws a scene twice, one has a `key` of its own.
    """
    heard = {state: _heard(callback) for state, callback in on_change.items()}
    _component()(data=pack({"scene": name, "run": _run(), **scene}), key=key or name, **heard)


def _run() -> dict[str, str]:
    """What has computed the numbers: a page that is saved as a file says so."""
    common, model = session.common(), session.card().name
    manner = f"temperature {common.temperature:g}, seed {common.seed}" if common.temperature else "greedy"
    return {"model": model, "manner": manner, "torch": _TORCH}


def _heard(callback: Callable[[], None]) -> Callable[[], None]:
    def called() -> None:
        session.acted()
        callback()

    return called


def sent(name: str, state: str) -> Any:
    """What the scene has sent last under the name of a state, or None."""
    return st.session_state.get(name, {}).get(state)
