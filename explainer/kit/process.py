"""The measuring process, seen from the server: started, given a job, stopped, and started anew after a crash.

Measuring inside the serving process would let every other visitor's work fall into the clock, and torch's
number of threads is a whole process's. It is a plain subprocess with pickled messages over its pipes (the
child's end is `worker.py`): it inherits nothing of the server, no socket and no thread, and it ends when its
input does, however the server ended.
"""

import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar, cast

from explainer.kit.measure import Job
from kvengine.errors import KVEngineError

T = TypeVar("T")

#: Seconds that a job has to end after it was told to stop; then its process is killed.
GRACE = 1.5
#: Seconds between two looks at whether a job should stop.
LOOK = 0.05

_ROOT = Path(__file__).resolve().parents[2]


class MeasurementLost(KVEngineError):
    """The measuring process ended in the middle of a run."""


class MeasurementFailed(KVEngineError):
    """A measurement met an error that nobody foresaw; `details` is its traceback."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details


class Measuring:
    """A process that runs one job at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "explainer.kit.worker"]
        try:
            self._process = subprocess.Popen(
                command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise MeasurementLost(f"The measuring process could not be started: {error}.") from error
        self._input, output = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, args=(output,), daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def results(self, job: Job[T], should_stop: Callable[[], bool]) -> Iterator[T]:
        """Run `job` there and yield its results as they come, until it ends or was stopped.

        Raises what the engine refused, `MeasurementFailed` for any other error in the job, and
        `MeasurementLost` when the process died; a later job needs a new process then.
        """
        self._send("run", job)
        told: float | None = None
        while True:
            try:
                kind, *rest = self._answers.get(timeout=LOOK)
            except queue.Empty:
                kind = ""
            if kind == "result":
                try:
                    yield rest[0]
                except GeneratorExit:  # nobody waits for the rest, which would be taken for the next job's
                    self.close(grace=0)
                    raise
            elif kind == "ended":
                return
            elif kind == "failed":
                raise rest[0] if isinstance(rest[0], KVEngineError) else MeasurementFailed(*rest)
            elif kind == "gone":
                self.close()
                raise MeasurementLost(f"The measuring process ended unexpectedly ({self._ending()}).")
            if told is None and should_stop():
                self._send("stop")
                told = time.monotonic()
            elif told is not None and time.monotonic() - told > GRACE:
                self.close(grace=0)
                return

    def close(self, grace: float = GRACE) -> None:
        """End the process, by force if it does not go by itself, and wait until it has."""
        with suppress(OSError):  # what was not written yet cannot be any more
            self._input.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        if self.alive:
            self._process.kill()
        self._process.wait()  # or it would stay in the list of processes as a zombie
        self._listener.join(1)

    def _send(self, *message: object) -> None:
        with suppress(OSError, ValueError):  # it has gone, and the answers will say so
            self._input.write(pickle.dumps(message))
            self._input.flush()

    def _listen(self, output: IO[bytes]) -> None:
        with output:
            while True:
                try:
                    self._answers.put(pickle.load(output))
                except Exception:  # the pipe has ended, perhaps in the middle of an answer
                    self._answers.put(("gone",))
                    return

    def _ending(self) -> str:
        code = self._process.returncode
        return f"signal {-code}" if code < 0 else f"exit code {code}"
