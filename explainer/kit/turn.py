"""One page runs at a time.

Threads of Python take turns as it is, and each operation of torch gives its turn away: a hundred learners on
short texts waited twice as long (p95) as when one run follows the other. First come, first served: a visitor
whose page asks anew without end would else be before all who wait.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Seconds after which a run no longer waits for those before it, one of which must be taking long.
PATIENCE = 3.0


class Turn:
    """A lock that goes straight to whoever has waited longest, for no longer than they say.

    One of Python's can be taken again by the thread that has just given it back, before those who wait.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def acquire(self, timeout: float) -> bool:
        """Whether the turn came within `timeout` seconds."""
        mine = threading.Event()
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            self._waiting.append(mine)
        mine.wait(timeout)
        with self._guard:
            if mine.is_set():
                return True
            self._waiting.remove(mine)
            return False

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


_TURN = Turn()


@dataclass
class _Mine:
    has: bool

    def leave(self) -> None:
        if self.has:
            _TURN.release()
            self.has = False

    def take(self) -> None:
        self.has = _TURN.acquire(timeout=PATIENCE)


_here = threading.local()


def _mine() -> _Mine | None:
    mine: _Mine | None = getattr(_here, "mine", None)
    return mine if mine and mine.has else None


@contextmanager
def turn(*, wanted: bool = True) -> Iterator[None]:
    """What a page's run is held in; not `wanted` for one that takes too long for others to wait for it."""
    before = getattr(_here, "mine", None)
    mine = _here.mine = _Mine(False)
    if wanted:
        mine.take()
    try:
        yield
    finally:
        _here.mine = before
        mine.leave()


def give_way() -> None:
    """Between two parts of what takes long: one of those who wait for their turn comes first."""
    if mine := _mine():
        mine.leave()
        mine.take()


@contextmanager
def aside() -> Iterator[None]:
    """While this thread waits for another one, those who wait for their turn come first.

    The other may be waiting for its turn itself, and would have to run out of patience.
    """
    mine = _mine()
    if mine:
        mine.leave()
    try:
        yield
    finally:
        if mine:
            mine.take()
