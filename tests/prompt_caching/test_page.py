"""The page, run without a browser."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit.cache import tokenizer
from explainer.kit.choice import Common
from explainer.prompt_caching.choice import PARTS, PROMPT_PARTS, PromptCachingChoice
from explainer.prompt_caching.room import Room
from explainer.prompt_caching.visit import Visit

Opened = Callable[..., AppTest]
NAME = "stories-1m-h8-kv8"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"part": "2", "wrong": "7"},
        {"part": "3"},
        {"part": "4", "block": "64"},
        {"part": "5"},
        {"kv": "1", "temperature": "0.7"},
        {"system": "", "documents": "", "question": ""},
        {"store": "0", "block": "7"},
    ],
)
def test_it_runs_without_an_error_or_a_note(open_page: Opened, params: dict[str, str]) -> None:
    app = open_page("prompt_caching", **params)
    assert not app.exception
    assert not app.error
    assert not app.warning


def test_nonsense_in_the_address_is_told_and_the_page_goes_on(open_page: Opened) -> None:
    app = open_page("prompt_caching", part="9", block="1000", store="-3", system="🙂" * 1501, wrong="x")
    told = app.warning[0].value.replace("\\", "")
    for fact in ("The parts are 1 to 5", "A block has 1 to 128 tokens", "The store holds 0 to 1,024 tokens"):
        assert fact in told
    assert "cut to 1,500 characters" in told
    assert not app.exception


def act(
    asked: Any, visit: Visit | None = None, room: Room | None = None
) -> tuple[Visit, Room, dict[str, Any]]:
    visit, room = visit or Visit(), room or Room(NAME, 16, 256)
    return visit, room, visit.act(asked, room, Common())


def test_a_prompt_that_is_sent_stands_in_the_history_and_in_the_address() -> None:
    texts = {"system": "Once upon a time", "documents": "", "question": "there was"}
    _, room, changes = act({"kind": "send", **texts})
    assert changes == texts
    assert room.history[0].texts == tuple(texts.values())


@pytest.mark.parametrize(
    "asked",
    [
        None,
        [],
        "send",
        {},
        {"kind": 3},
        {"kind": "send"},
        {"kind": "send", "system": 3, "documents": None, "question": ["a"]},
        {"kind": "send", "question": "\ud800"},
        {"kind": "store", "block": "many", "budget": 1e9},
        {"kind": "store", "block": True},
        {"kind": "prices", "rules": None, "talk": 3},
        {"kind": "machines", "machines": -1, "store": 3},
        {"kind": "ahead", "texts": "a"},
        {"kind": "ahead", "texts": [1, None]},
        {"kind": "ahead", "texts": []},
        {"kind": "ahead", "texts": ["a" * 5000] * 50},
        {"kind": "clear"},
    ],
)
def test_whatever_the_browser_sends_no_part_breaks(asked: Any) -> None:
    visit, room, changes = act(asked)
    own = PromptCachingChoice(**changes)
    parts = ["requests", "prices"]
    if isinstance(asked, dict) and asked.get("kind") == "ahead":
        parts.append("documents")
    for part in parts:
        assert visit.part(part, 1, room, own, Common(), tokenizer(NAME))


def test_too_long_a_prompt_is_refused_in_a_sentence() -> None:
    visit, room, _ = act({"kind": "send", "system": "🙂" * 600})
    assert "The model has 512 positions" in visit.error
    assert not room.history
    assert act({"kind": "clear"}, visit, room)[0].error == ""


def test_a_document_past_the_context_is_refused_and_the_next_one_runs() -> None:
    visit, room, _ = act({"kind": "ahead", "texts": ["🙂" * 600, "a"]})

    def shown() -> dict[str, Any]:
        return visit.part("documents", 1, room, PromptCachingChoice(), Common(), tokenizer(NAME))

    assert "positions" in shown()["error"]
    act({"kind": "ahead", "texts": ["A short one.", "", "It was"]}, visit, room)
    found = shown()
    assert not found["error"]
    assert len(found["found"]["rows"]) == 1


def test_an_emptied_store_stays_empty_until_something_is_sent() -> None:
    visit, room, _ = act({"kind": "clear"})
    scene = visit.part("requests", 1, room, PromptCachingChoice(), Common(), tokenizer(NAME))
    assert scene["entries"] == []


def test_what_the_scene_asks_for_is_within_what_there_is() -> None:
    own = PromptCachingChoice(part=2, wrong=3)
    assert Visit().place({}, own) == (2, 3)
    assert Visit().place({"part": 99, "wrong": -1}, own) == (len(PARTS), 1)
    assert Visit().place({"part": "x"}, own) == (2, 3)


def test_the_parts_of_a_prompt_are_in_the_address() -> None:
    assert {*PROMPT_PARTS} <= {*PromptCachingChoice.__dataclass_fields__}
