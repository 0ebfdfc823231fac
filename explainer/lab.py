"""One measurement at a time on this server: the others wait in line, so that clocks stay honest.

No Streamlit here. A page submits a run, looks at it every quarter of a second, and every look says that
somebody is still there: a run that nobody has looked at for a while is stopped, or leaves the line.
"""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from kvengine.errors import KVEngineError

T = TypeVar("T")

#: Seconds without a look after which a page counts as closed.
PATIENCE = 6.0
#: Seconds that one run may take.
TIME_LIMIT = 120.0
MOST_WAITING = 40


class QueueFull(KVEngineError):
    """Too many runs are waiting."""


class Run(Generic[T]):
    """A measurement that yields results one by one; what it has yielded so far can be read at any time."""

    def __init__(
        self, measure: Callable[[Callable[[], bool]], Iterator[T]], clock: Callable[[], float]
    ) -> None:
        self._measure, self._clock = measure, clock
        self._results: list[T] = []
        self._stop = threading.Event()
        self._seen = clock()
        self._began: float | None = None
        self.state = "waiting"  # then "running", then "done", "stopped", "out of time" or "failed"
        self.error = ""

    @property
    def results(self) -> list[T]:
        """What there is so far, as a copy."""
        return self._results.copy()

    @property
    def active(self) -> bool:
        return self.state in ("waiting", "running")

    def look(self) -> None:
        """Say that somebody is waiting for this run."""
        self._seen = self._clock()

    def stop(self) -> None:
        """End it before its next step; results so far are kept."""
        self._stop.set()
        if self.state == "waiting":
            self.state = "stopped"

    @property
    def _late(self) -> bool:
        return self._began is not None and self._clock() - self._began > TIME_LIMIT

    def _should_stop(self) -> bool:
        return self._stop.is_set() or self._clock() - self._seen > PATIENCE or self._late

    def _execute(self) -> None:
        if self._should_stop():
            self.state = "stopped"
            return
        self.state, self._began = "running", self._clock()
        try:
            for result in self._measure(self._should_stop):
                self._results.append(result)
                if self._should_stop():
                    break
            self.state = "stopped" if self._should_stop() else "done"
            if self._late:
                self.state = "out of time"
        except KVEngineError as error:
            self.state, self.error = "failed", str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("a measurement failed")
            self.state, self.error = "failed", f"The measurement could not go on: {error}"


class Lab:
    """The line of runs of one process, first come, first served."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Run[object]] = deque()
        self._current: Run[object] | None = None
        self._names = itertools.count(1)

    def submit(self, measure: Callable[[Callable[[], bool]], Iterator[T]]) -> Run[T]:
        """Put `measure` in line. It is called with a function that says when to stop.

        Raises `QueueFull` when too many wait already.
        """
        run = Run(measure, self._clock)
        with self._lock:
            self._waiting = deque(r for r in self._waiting if r.state == "waiting")
            if len(self._waiting) >= MOST_WAITING:
                raise QueueFull(f"{MOST_WAITING} measurements are waiting already; try again in a minute.")
            self._waiting.append(run)  # type: ignore[arg-type]
            if self._current is None:
                self._current = self._waiting.popleft()
                name = f"measurement-{next(self._names)}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return run

    def place(self, run: Run[T]) -> int:
        """How many runs are ahead of this one: 0 when it is running, or over."""
        with self._lock:
            line: list[object] = [r for r in self._waiting if r.state == "waiting"]
        return line.index(run) + 1 if run in line else 0

    def _work(self) -> None:
        while self._current is not None:
            self._current._execute()
            with self._lock:
                self._current = self._waiting.popleft() if self._waiting else None


#: The one lab of this process.
LAB = Lab()
