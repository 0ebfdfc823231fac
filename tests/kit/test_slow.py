"""What a page shows while a real model computes, and before."""

from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explainer.kit import slow
from explainer.kit.slow import Sketch


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """A page with a real model, which is not there: what it does while that computes is `work`."""
    monkeypatch.setattr(slow, "large", lambda name: True)
    monkeypatch.setattr(slow, "model", lambda name: None)

    def run(work: Callable[[Any], None], sketch: Sketch, **state: object) -> AppTest:
        def script(work: "Callable[[Any], None]", sketch: "Sketch") -> None:
            from explainer.kit.slow import working

            with working("real", "It computes.", sketch=sketch) as progress:
                work(progress)

        app = AppTest.from_function(script, kwargs={"work": work, "sketch": sketch})
        for key, value in state.items():
            app.session_state[key] = value
        return app.run()

    return run


SKETCH = Sketch("hello", "A *title*", "What it says.", ("Left", "Right"))


def test_a_sketch_says_what_the_page_says_and_where_its_pictures_will_be() -> None:
    def script(sketch: "Sketch") -> None:
        sketch.draw().text("told meanwhile")

    app = AppTest.from_function(script, kwargs={"sketch": SKETCH}).run()
    assert not app.exception
    assert [text.value for text in app.markdown] == ["# A *title*\nWhat it says.", "**Left**", "**Right**"]
    assert app.text[0].value == "told meanwhile"
    assert [len(column.get("skeleton")) for column in app.columns] == [1, 1]


def test_where_the_scene_is_on_the_page_already_nothing_is_sketched() -> None:
    def script(sketch: "Sketch") -> None:
        sketch.draw().text("told meanwhile")

    app = AppTest.from_function(script, kwargs={"sketch": SKETCH})
    app.session_state["hello"] = {}
    app.run()
    assert not app.exception
    assert not app.markdown
    assert not app.get("skeleton")
    assert app.text[0].value == "told meanwhile"


def test_it_is_drawn_once_something_has_to_be_computed_and_gone_when_it_is(
    shown: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = Sketch.draw

    def noted(sketch: Sketch) -> Any:
        drawn.append(len(done))
        return draw(sketch)

    monkeypatch.setattr(Sketch, "draw", noted)
    done: list[int] = []

    def work(progress: slow.Progress) -> None:
        for part in range(3):
            done.append(part)
            progress(part, 3)

    for sketch in (SKETCH, Sketch("hello")):
        done.clear()
        app = shown(work, sketch)
        assert not app.exception
        assert not app.markdown
        assert not app.get("skeleton")
    assert drawn == [1, 1], "with the first word of what is done, and once"
    drawn.clear()
    shown(lambda progress: st.write("as it was"), SKETCH)
    assert drawn == [], "what was computed already is there at once"
