"""Pages with the real language model, run without a browser; what takes time is smaller."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit import cache
from explainer.kit.choice import OPENS_AT
from kvengine.weights import SMOLLM2

Opened = Callable[..., AppTest]

PROMPT = "Tom gave the ball to"


@pytest.mark.parametrize("name", ["walkthrough", "timing", "memory", "code"])
def test_a_page_opens_with_it(open_page: Opened, name: str) -> None:
    app = open_page(name, model=SMOLLM2, prompt=PROMPT)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.session_state["choice"].common.model == SMOLLM2
    assert (app.query_params["layer"], app.query_params["head"]) == tuple(map(str, OPENS_AT[SMOLLM2]))


def test_a_cache_of_one_s_own_runs_in_it_with_its_rotation(open_page: Opened) -> None:
    app = open_page("code", model=SMOLLM2, prompt="Tom gave", part="2")
    assert not app.exception
    assert not app.info


def test_a_message_in_its_chat_frame_opens(open_page: Opened) -> None:
    app = open_page("walkthrough", model=SMOLLM2, prompt="Hi", chat="1")
    assert not app.exception
    assert app.text_input(key="w_prompt").label == "Message"
    assert len(cache.prompt_tokens(SMOLLM2, "Hi", chat=True)) > len(cache.prompt_tokens(SMOLLM2, "Hi")) + 3


def test_its_race_is_offered_as_far_as_one_can_wait_for_it(open_page: Opened) -> None:
    app = open_page("timing", model=SMOLLM2, prompt=PROMPT)
    tokens = next(slider for slider in app.select_slider if slider.label == "Tokens to generate")
    assert str(tokens.value) == "64"
    assert tokens.options[-1] == "256"


def test_the_real_model_has_a_lock_of_its_own() -> None:
    assert cache.large(SMOLLM2)
    assert not any(cache.large(card.name) for card in cache.cards())
    assert cache.computing(SMOLLM2) is not cache.COMPUTING
