"""The lock that is given out in order, and tells those who wait how many are before them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from explainer.kit import line
from explainer.kit.line import Line, hears


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "LOOK", 0.01)


class Learner:
    """One who wants in, in a thread of its own; it stays in until it is let out."""

    def __init__(self, threads: ThreadPoolExecutor, lock: Line, order: list[str], name: str) -> None:
        self.heard: list[int] = []
        self.told, self.inside, self.out = (threading.Event() for _ in range(3))
        self.gone = False
        self.done = threads.submit(self._visit, lock, order, name)

    def _visit(self, lock: Line, order: list[str], name: str) -> None:
        with hears(self._hear), lock:
            order.append(name)
            self.inside.set()
            assert self.out.wait(60)

    def _hear(self, ahead: int) -> None:
        self.heard.append(ahead)
        self.told.set()
        if self.gone:
            raise InterruptedError

    def let_out(self) -> None:
        self.out.set()
        self.done.result(60)


@pytest.fixture
def three() -> Any:
    lock, order = Line(), list[str]()
    with ThreadPoolExecutor(4) as threads:
        first = Learner(threads, lock, order, "first")
        assert first.inside.wait(60)
        second = Learner(threads, lock, order, "second")
        assert second.told.wait(60)
        third = Learner(threads, lock, order, "third")
        assert third.told.wait(60)
        yield lock, order, first, second, third


def test_they_come_in_one_at_a_time_in_the_order_in_which_they_asked(three: Any) -> None:
    _, order, first, second, third = three
    assert order == ["first"]
    first.let_out()
    assert second.inside.wait(60)
    assert order == ["first", "second"]
    second.let_out()
    third.let_out()
    assert order == ["first", "second", "third"]


def test_who_waits_is_told_how_many_are_before_and_who_need_not_wait_is_told_nothing(three: Any) -> None:
    _, _, first, second, third = three
    assert first.heard == []
    assert (second.heard[0], third.heard[0]) == (1, 2)
    first.let_out()
    second.let_out()
    third.let_out()
    assert third.heard[-1] == 0
    assert sorted(third.heard, reverse=True) == third.heard


def test_who_goes_away_leaves_the_line_to_those_behind(three: Any) -> None:
    lock, order, first, second, third = three
    second.gone = True
    with pytest.raises(InterruptedError):
        second.done.result(60)
    first.let_out()
    third.let_out()
    assert order == ["first", "third"]
    with lock:  # and it is free
        pass


def test_an_error_inside_lets_the_next_one_in() -> None:
    lock = Line()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    with lock:
        pass
