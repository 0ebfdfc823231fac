"""Walks that visitors share, in parts."""

import threading
import time
from collections.abc import Iterator

import pytest

import kvengine.walk
from explainer.kit import cache
from explainer.kit.cache import AHEAD, PART, SENT, WALKS, prompt_tokens, recording, walks_budget

NAME, PROMPT = "stories-1m-h8-kv8", "Tom and Sara"
IDS = prompt_tokens(NAME, PROMPT)
START = len(IDS) - 1


@pytest.fixture(autouse=True)
def no_walks() -> Iterator[None]:
    WALKS.clear()
    yield
    WALKS.clear()


def test_a_position_comes_with_some_steps_past_it_and_no_more() -> None:
    for position in (START + 9, START, START + 3):
        _, found = recording(NAME, IDS, history=START, position=position, temperature=0.0, seed=0)
        assert position + AHEAD <= found.rows <= position + 1 + SENT


def test_a_part_goes_on_with_what_the_one_before_has_written(monkeypatch: pytest.MonkeyPatch) -> None:
    end = START + PART - 1
    _, before = recording(NAME, IDS, history=START, position=end, temperature=0.7, seed=1)
    monkeypatch.setattr(kvengine.walk, "generate", None)
    _, behind = recording(NAME, IDS, history=START, position=end + 1, temperature=0.7, seed=1)
    assert behind.first == end + 1
    assert behind.token_ids[: before.rows + 1] == before.token_ids[: behind.rows + 1]
    for position, chance in behind.chances.items():
        assert chance == pytest.approx(before.chances.get(position, chance), abs=1e-5)
    assert set(behind.chances) >= set(range(len(IDS), end + 2))


# ---- turns -----------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Thread, list[str]]]:
    """A page that asks for its turn once it is started, and what ran in which order."""
    monkeypatch.setattr(cache, "TURN_PATIENCE", 90)
    order: list[str] = []

    def second() -> None:
        with cache.turn(NAME):
            order.append("second")

    thread = threading.Thread(target=second)
    yield thread, order
    thread.join(60)


def test_a_page_runs_when_the_one_before_it_has_ended(waiting: tuple[threading.Thread, list[str]]) -> None:
    thread, order = waiting
    with cache.turn(NAME):
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_who_gives_way_lets_one_who_waits_run_first(
    waiting: tuple[threading.Thread, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread, order = waiting
    with cache.turn(NAME):
        thread.start()
        deadline = time.monotonic() + 60
        while thread.is_alive() and time.monotonic() < deadline:
            cache.give_way()  # once it waits, this lets it run
        order.append("first")
    assert order == ["second", "first"]
    monkeypatch.setattr(cache, "TURN_PATIENCE", 0.01)
    assert cache._TURN.acquire(timeout=60), "the turn was given back once, not twice"
    cache.give_way()  # nobody's: nothing happens
    assert not cache._TURN.acquire(timeout=0.01)
    cache._TURN.release()


def test_nobody_waits_for_a_real_model_nor_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "TURN_PATIENCE", 0.01)
    with cache.turn(NAME), cache.turn("a real model"), cache.turn(NAME):
        pass  # the second of a small one has waited and gone on
    monkeypatch.setattr(cache, "TURN_PATIENCE", 60)
    with pytest.raises(ZeroDivisionError), cache.turn(NAME):
        raise ZeroDivisionError
    with cache.turn(NAME):
        pass  # the run that failed has given its turn back


@pytest.mark.parametrize("said", ["", "many", "-1", "15", "1e3", "192.5"])
def test_what_is_no_budget_for_walks_is_refused_by_name(said: str) -> None:
    assert walks_budget({"EXPLAINER_WALKS": " 192 "}) == 192
    with pytest.raises(ValueError, match="EXPLAINER_WALKS"):
        walks_budget({"EXPLAINER_WALKS": said})
