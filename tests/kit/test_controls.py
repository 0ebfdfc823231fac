"""The widgets above every page and on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit.controls import ANOTHER
from explainer.pages import PAGES

Opened = Callable[..., AppTest]

#: Away from what every widget would show by itself; a page passes over what it does not know.
ELSEWHERE = {
    "prompt": "The dog saw a cat and",
    "heads": "4",
    "kv": "2",
    "temperature": "0.7",
    "seed": "3",
    "layer": "1",
    "head": "2",
    "premise": "2",
    "budget": "12",
    "batch": "3",
}


def first_and_shown(app: AppTest) -> Iterator[tuple[str, Any, Any]]:
    """For each widget with a value: its key, what it opens with by itself, and what it has to show."""
    for widget in [*app.text_input, *app.text_area, *app.number_input, *app.toggle]:
        yield widget.key or "", widget.proto.default, widget.value
    for slider in app.slider:
        yield slider.key or "", slider.proto.default[0], slider.value
    for choice in app.select_slider:
        yield choice.key or "", choice.options[int(choice.proto.default[0])], choice.format_func(choice.value)
    for box in app.selectbox:
        yield box.key or "", box.proto.default, box.index
    for group in app.button_group:
        if group.key != "p_first_guess":  # a guess that nobody has made yet
            yield group.key or "", list(group.proto.default), group.indices


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.file)
def test_a_widget_opens_with_what_it_shows_before_the_browser_is_told(open_page: Opened, page: Any) -> None:
    app = open_page(page.file, **ELSEWHERE)
    assert not app.exception
    found = {key: (first, shown) for key, first, shown in first_and_shown(app)}
    assert page.controls_wait or "w_heads" in found
    assert page.controls_wait or ANOTHER in [caption.value for caption in app.caption]
    assert {key: first for key, (first, _) in found.items()} == {
        key: shown for key, (_, shown) in found.items()
    }


def test_other_heads_and_other_kv_heads_are_told_to_be_another_model(open_page: Opened) -> None:
    app = open_page()

    def told() -> bool:
        return ANOTHER in [caption.value for caption in app.caption]

    assert not told()
    app.button_group(key="w_kv_heads").set_value(2).run()
    assert told()
    app.select_slider(key="w_heads").set_value(1).run()
    assert told()
    app.select_slider(key="w_heads").set_value(8).run()
    assert not told()
