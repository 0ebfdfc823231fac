"""What a learner has chosen holds against an address that the browser sent before it knew."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit import scene, session
from explainer.kit.choice import Common

Opened = Callable[..., AppTest]


def test_a_second_choice_with_the_address_from_before_the_first_is_kept(open_page: Opened) -> None:
    app = open_page()
    app.select_slider(key="w_heads").set_value(4).run()
    app.query_params.clear()  # the browser had not yet been told of the first
    app.select_slider(key="w_heads").set_value(2).run()
    assert app.session_state["choice"].common.heads == 2
    assert app.query_params["heads"] == "2"
    assert app.select_slider(key="w_heads").value == 2


def test_going_back_after_a_choice_takes_it_back(open_page: Opened) -> None:
    app = open_page()
    app.select_slider(key="w_heads").set_value(4).run()
    app.run()  # the address is known to the browser by now
    app.query_params.clear()
    app.run()
    assert app.session_state["choice"].common == Common()
    assert "heads" not in app.query_params


def test_whatever_a_scene_sends_counts_as_the_learners_doing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scene can ask for more, without a choice, in the moment after one."""
    mounted: dict[str, Callable[[], None]] = {}
    monkeypatch.setattr(scene, "_component", lambda: lambda data, key, **callbacks: mounted.update(callbacks))
    noted: list[str] = []
    monkeypatch.setattr(session, "acted", lambda: noted.append("acted"))
    scene.mount("hello", {}, on_at_change=lambda: noted.append("called"))
    mounted["on_at_change"]()
    assert noted == ["acted", "called"]
