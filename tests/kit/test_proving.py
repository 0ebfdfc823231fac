"""The line of walks whose steps are proved behind the pages."""

import logging
import threading
from collections.abc import Iterator

import pytest

from explainer.kit import proving
from explainer.kit.proving import PATIENCE, Proofs


class Slow:
    """A walk whose proof ends when the test says so."""

    def __init__(self, order: list["Slow"]) -> None:
        self.proved = False
        self.fails = False
        self.began, self.end = threading.Event(), threading.Event()
        self._order = order

    def prove(self) -> None:
        self._order.append(self)
        self.began.set()
        assert self.end.wait(60)
        if self.fails:
            raise MemoryError
        self.proved = True


class Looked:
    """Walks a, b and c, and the line that proves them by a clock of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[Slow] = []
        self.a, self.b, self.c = (Slow(self.order) for _ in range(3))
        self.proofs = Proofs(lambda: self.now)

    def thread(self) -> threading.Thread:
        assert self.proofs._thread
        return self.proofs._thread


@pytest.fixture
def looked() -> Iterator[Looked]:
    found = Looked()
    yield found
    for walk in (found.a, found.b, found.c):
        walk.end.set()
    if thread := found.proofs._thread:
        thread.join(60)


def test_walks_are_proved_one_at_a_time_in_the_order_of_the_first_look(looked: Looked) -> None:
    assert looked.proofs.look("a", looked.a) == 0
    assert looked.a.began.wait(60)
    assert looked.proofs.look("b", looked.b) == 1
    assert looked.proofs.look("c", looked.c) == 2
    assert looked.proofs.look("b", looked.b) == 1, "another look keeps the place"
    assert looked.order == [looked.a]
    thread = looked.thread()
    for walk in (looked.c, looked.b, looked.a):
        walk.end.set()
    thread.join(60)
    assert looked.order == [looked.a, looked.b, looked.c]
    assert looked.proofs.look("a", looked.a) == 0


def test_what_nobody_looks_at_any_more_is_not_proved_and_the_thread_ends(looked: Looked) -> None:
    looked.proofs.look("a", looked.a)
    assert looked.a.began.wait(60)
    looked.proofs.look("b", looked.b)
    looked.proofs.look("c", looked.c)
    looked.now += PATIENCE + 1
    looked.proofs.look("c", looked.c)
    thread = looked.thread()
    looked.a.end.set()
    looked.c.end.set()
    thread.join(60)
    assert looked.order == [looked.a, looked.c]
    assert not looked.b.proved
    assert looked.proofs._thread is None
    looked.b.end.set()
    assert looked.proofs.look("b", looked.b) == 0, "a later look has it proved after all"
    assert looked.b.began.wait(60)


def test_a_proof_that_fails_is_given_up_and_the_line_moves_on(
    looked: Looked, caplog: pytest.LogCaptureFixture
) -> None:
    looked.a.fails = True
    looked.proofs.look("a", looked.a)
    looked.proofs.look("b", looked.b)
    thread = looked.thread()
    looked.a.end.set()
    looked.b.end.set()
    with caplog.at_level(logging.CRITICAL):
        thread.join(60)
    assert looked.proofs.look("a", looked.a) is None
    assert looked.b.proved


def test_the_line_is_bounded(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "MOST", 2)
    looked.proofs.look("a", looked.a)
    looked.proofs.look("b", looked.b)
    assert looked.proofs.look("c", looked.c) == 2
    assert "c" not in looked.proofs._line
