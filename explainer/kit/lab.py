"""One measurement at a time on this server: the others wait in line, so that clocks stay honest.

No Streamlit here. A page submits a job and looks at its run a few times a second, as often as it draws it.
Every look says that somebody is still there: a run that nobody has looked at for a while is stopped, or
leaves the line. The measuring itself happens in a process of its own (`process.py`), which is started for
the first run, kept warm for the next, and ended when nobody has wanted one for a while.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from explainer.kit.measure import Job
from explainer.kit.process import MeasurementFailed, Measuring
from kvengine.errors import KVEngineError

T = TypeVar("T")
R = TypeVar("R")

#: Seconds without a look after which a page counts as closed.
PATIENCE = 6.0
#: Seconds that one run may take.
TIME_LIMIT = 120.0
#: Seconds without a run, or a page that may want one, after which the measuring process ends.
IDLE = 180.0
#: Seconds that a page takes to be drawn: until then the measuring process does not take a core from it.
DRAWN = 3.0
MOST_WAITING = 40


class QueueFull(KVEngineError):
    """Too many runs are waiting."""


class Worker(Protocol):
    """Where jobs run, one at a time: a `Measuring` process, or what a test puts in its place."""

    @property
    def alive(self) -> bool: ...
    def results(self, job: Job[R], should_stop: Callable[[], bool]) -> Iterator[R]: ...
    def close(self) -> None: ...


class Run(Generic[T]):
    """A measurement that yields results one by one; what it has yielded so far can be read at any time."""

    def __init__(self, job: Job[T], clock: Callable[[], float]) -> None:
        self.job = job
        self._clock = clock
        self._lock = threading.Lock()
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
        """End it before its next step, or take it out of the line; results so far are kept."""
        self._stop.set()
        with self._lock:
            if self.state == "waiting":
                self.state = "stopped"

    @property
    def waiting(self) -> bool:
        """Is it in line still? It leaves when its page was closed."""
        if self.state == "waiting" and self._forsaken:
            self.stop()
        return self.state == "waiting"

    @property
    def _forsaken(self) -> bool:
        return self._clock() - self._seen > PATIENCE

    @property
    def _late(self) -> bool:
        return self._began is not None and self._clock() - self._began > TIME_LIMIT

    def _should_stop(self) -> bool:
        return self._stop.is_set() or self._forsaken or self._late

    def execute(self, worker: Callable[[], Worker]) -> None:
        """Run the job where `worker` says, unless it was stopped before."""
        with self._lock:
            if self.state != "waiting":
                return
            self.state, self._began = "running", self._clock()
        try:
            for result in worker().results(self.job, self._should_stop):
                self._results.append(result)
            ended = "out of time" if self._late else "stopped" if self._should_stop() else "done"
        except MeasurementFailed as error:
            logging.getLogger(__name__).error("a measurement failed\n%s", error.details)
            ended, self.error = "failed", f"The measurement could not go on: {error}"
        except KVEngineError as error:
            ended, self.error = "failed", str(error)
        except Exception as error:  # the line must move on
            logging.getLogger(__name__).exception("a measurement failed")
            ended, self.error = "failed", f"The measurement could not go on: {error}"
        self.state = ended


class Lab:
    """The line of runs of one server, first come, first served."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[], Worker] = Measuring,
        idle: float = IDLE,
    ) -> None:
        self._clock, self._start, self._idle = clock, start, idle
        self._changed = threading.Condition()
        self._waiting: list[Run[object]] = []
        self._current: Run[object] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, job: Job[T]) -> Run[T]:
        """Put `job` in line. Raises `QueueFull` when too many wait already."""
        run = Run(job, self._clock)
        with self._changed:
            if len(self._line()) >= MOST_WAITING:
                raise QueueFull(f"{MOST_WAITING} measurements are waiting already; try again in a minute.")
            self._waiting.append(run)  # type: ignore[arg-type]
            self._wake()
        return run

    def warm_up(self) -> None:
        """Somebody may want a run soon: start the process, or keep it a little longer."""
        with self._changed:
            self._wake()

    def place(self, run: Run[T]) -> int:
        """How many runs are ahead of this one: 0 when it is running, or over."""
        with self._changed:
            line: list[object] = list(self._line())
            return line.index(run) + (self._current is not None) if run in line else 0

    def close(self) -> None:
        """Stop what runs, forget what waits, and end the process."""
        with self._changed:
            self._closed = True
            for run in [*self._waiting, *([self._current] if self._current else [])]:
                run.stop()
            self._changed.notify()
            thread = self._thread
        if thread:
            thread.join()

    def _line(self) -> list[Run[object]]:
        self._waiting = [run for run in self._waiting if run.waiting]
        return self._waiting

    def _wake(self) -> None:
        if self._thread is None:
            self._closed = False
            self._thread = threading.Thread(target=self._work, name="measurements", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _next(self) -> Run[object] | None:
        """Take the next run; None when there was none for long enough."""
        with self._changed:
            self._current = None
            while not self._line():
                if self._closed or not self._changed.wait(self._idle):
                    self._thread = None
                    return None
            self._current = self._waiting.pop(0)
            return self._current

    def _work(self) -> None:
        worker: Worker | None = None

        def ready() -> Worker:
            nonlocal worker
            if worker is None or not worker.alive:
                worker = self._start()
            return worker

        with self._changed:  # a page that wakes it ahead of time is about to be drawn, on the same cores
            self._changed.wait_for(lambda: self._line() or self._closed, timeout=DRAWN)
        with suppress(Exception):  # where it cannot be started ahead, the first run will tell
            ready()
        while run := self._next():
            run.execute(ready)
        if worker:
            worker.close()


#: The one lab of this server.
LAB = Lab()
atexit.register(LAB.close)
