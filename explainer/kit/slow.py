"""What a page says while a real model computes: it takes seconds where those that ship take milliseconds."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Protocol

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explainer.kit.cache import large, model
from explainer.kit.choice import titled
from explainer.kit.line import hears
from explainer.kit.waiting import WAITING, turn_line
from explainer.kit.words import say


class Progress(Protocol):
    """Hears how much is done of what is wanted, and, where that has a sentence of its own, the sentence."""

    def __call__(self, done: int, wanted: int, told: str = "") -> None: ...


@dataclass(frozen=True)
class Sketch:
    """What of a page can be seen before a real model has computed anything: what it says at the top, and
    empty, with its name where it has one, each picture that is to come. Words are Markdown."""

    scene: str
    title: str = ""
    lead: str = ""
    pictures: tuple[str, ...] = ("",)

    def draw(self) -> DeltaGenerator:
        """The place between the words and the pictures, for what is told meanwhile.

        A scene that is on the page already stays until there is another: nothing is drawn, then.
        """
        if self.scene in st.session_state:
            return st.empty()
        with st.container(key="sketch"):
            st.html(_SKETCH)
            if self.title:
                st.markdown(f"# {self.title}\n{self.lead}")
            place = st.empty()
            for picture, column in zip(self.pictures, st.columns(len(self.pictures)), strict=True):
                with column:
                    if picture:
                        st.markdown(f"**{picture}**")
                    st.skeleton(height=_TALL)
        return place


#: Pixels of a picture that is to come.
_TALL = 320

# The title as the scene sets it that comes in its place.
_SKETCH = """<style>
.st-key-sketch h1 { padding: 0 5.5rem 0 0; font-size: clamp(1.3rem, 2.4vw, 2rem); }
</style>"""


@contextmanager
def working(
    name: str, told: str = "", *, slow: bool = False, sketch: Sketch | None = None
) -> Iterator[Progress]:
    """While the model of this name, if it is a real one, computes in this block, `told` is shown: Markdown.

    Call what it gives with (done, wanted) where that is known: a bar shows it, and until then the seconds
    count. Who has to wait for others is told how many. Who is first to ask for the model waits for it to be
    loaded, and is told that. A model that ships is quick enough: of it nothing is said, unless what it has
    to do can be `slow`, and then only once it says how much that is. A page that opens with a real model can
    give a `sketch` of itself, so that it is not empty meanwhile.
    """
    if not large(name):
        # Holds the place, so that what comes below stays what it is when the model changes.
        place, bar = st.container(), None

        def tell(done: int, wanted: int, told: str = "") -> None:
            nonlocal bar
            if slow:
                bar = bar or place.empty()
                bar.progress(done / wanted, told)

        try:
            yield tell
        finally:
            if bar:
                bar.empty()
        return
    usual = told or say(WAITING["running"], name=titled(name))
    whole, at = st.empty(), (0.0, usual)
    place = whole
    with place.spinner(say(WAITING["loading"], name=titled(name)), show_time=True):
        model(name)

    def progress(done: int, wanted: int, told: str = "") -> None:
        nonlocal at
        at = done / wanted, told or usual
        show(*at)

    def waiting(ahead: int) -> None:
        show(at[0], turn_line(titled(name), ahead) if ahead else at[1])

    def show(part: float, told: str) -> None:
        nonlocal place
        counting.close()  # a bar in its place: both would say the same
        if sketch and place is whole:  # not before: what was computed already is there at once
            with whole.container():
                place = sketch.draw()
        place.progress(part, told)

    try:
        with ExitStack() as counting, hears(waiting):
            counting.enter_context(place.spinner(usual, show_time=True))
            yield progress
    finally:
        whole.empty()
