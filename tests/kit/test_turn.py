"""One page runs at a time, first come, first served."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from explainer.kit import turn as turns
from explainer.kit.shelf import Shelf
from explainer.kit.turn import Turn, give_way, turn


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Thread, list[str]]]:
    """A page that asks for its turn once it is started, and what ran in which order."""
    monkeypatch.setattr(turns, "PATIENCE", 90)
    order: list[str] = []

    def second() -> None:
        with turn():
            order.append("second")

    thread = threading.Thread(target=second)
    yield thread, order
    thread.join(60)


def test_a_page_runs_when_the_one_before_it_has_ended(waiting: tuple[threading.Thread, list[str]]) -> None:
    thread, order = waiting
    with turn():
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def test_who_gives_way_lets_one_who_waits_run_first(
    waiting: tuple[threading.Thread, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread, order = waiting
    with turn():
        thread.start()
        deadline = time.monotonic() + 60
        while thread.is_alive() and time.monotonic() < deadline:
            give_way()  # once it waits, this lets it run
        order.append("first")
    assert order == ["second", "first"]
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    assert turns._TURN.acquire(timeout=60), "the turn was given back once, not twice"
    give_way()  # nobody's: nothing happens
    assert not turns._TURN.acquire(timeout=0.01)
    turns._TURN.release()


@dataclass(frozen=True)
class Thing:
    nbytes: int = 1


def test_who_waits_for_what_another_makes_leaves_its_turn_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both would wait for each other until one of them runs out of patience."""
    monkeypatch.setattr(turns, "PATIENCE", 90)
    order: list[str] = []
    shelf: Shelf[str, Thing] = Shelf(100)
    makes, asks = threading.Event(), threading.Event()

    def make() -> Thing:
        makes.set()
        assert asks.wait(60)
        while not turns._TURN._waiting:  # the other stands in line for its turn
            time.sleep(0.01)
        give_way()
        order.append("made")
        return Thing()

    def first() -> None:
        with turn():
            shelf.get("one", make)

    def second() -> None:
        assert makes.wait(60)
        asks.set()
        with turn():
            shelf.get("one", Thing)
            order.append("read")

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert order == ["made", "read"]


def test_nobody_waits_where_it_is_not_wanted_nor_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.01)
    with turn(), turn(wanted=False), turn():
        pass  # the last has waited and gone on
    monkeypatch.setattr(turns, "PATIENCE", 60)
    with pytest.raises(ZeroDivisionError), turn():
        raise ZeroDivisionError
    with turn():
        pass  # the run that failed has given its turn back


def test_a_turn_goes_to_who_waits_before_who_has_just_given_it_back() -> None:
    lock, had, done = Turn(), threading.Event(), threading.Event()

    def second() -> None:
        assert lock.acquire(60)
        had.set()
        assert done.wait(60)
        lock.release()

    assert lock.acquire(60)
    thread = threading.Thread(target=second)
    thread.start()
    while not lock._waiting:
        time.sleep(0.01)
    lock.release()
    assert not lock.acquire(0), "it is the other's from the moment in which it was given back"
    assert had.wait(60)
    done.set()
    thread.join(60)
    assert lock.acquire(0), "who has waited in vain is not in line any more"
    lock.release()
