"""A lock that is given out in the order in which it was asked for, and tells those who wait their place."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

#: Seconds between two times that one who waits is told.
LOOK = 0.5

_heard = threading.local()


@contextmanager
def hears(tell: Callable[[int], None]) -> Iterator[None]:
    """In this block `tell` is called while this thread stands in a line, with how many are before it, and
    with 0 when its turn comes. Where it raises, the thread leaves the line."""
    before = getattr(_heard, "tell", None)
    _heard.tell = tell
    try:
        yield
    finally:
        _heard.tell = before


class Line:
    """A lock, first come, first served."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()  # the first is in, the others wait

    def __enter__(self) -> None:
        me, told = object(), False
        tell: Callable[[int], None] | None = getattr(_heard, "tell", None)
        with self._changed:
            self._line.append(me)
        try:
            while ahead := self._ahead(me):
                if tell:
                    tell(ahead)
                    told = True
            if tell and told:
                tell(0)
        except BaseException:
            self._leave(me)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(self._line[0])

    def _ahead(self, me: object) -> int:
        """How many are before it, after it has waited for a while: 0 when its turn has come."""
        with self._changed:
            self._changed.wait_for(lambda: self._line[0] is me, LOOK)
            return self._line.index(me)

    def _leave(self, me: object) -> None:
        with self._changed:
            self._line.remove(me)
            self._changed.notify_all()
