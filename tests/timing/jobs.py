"""Jobs for the measuring process that measure nothing: they wait, crash, refuse, or tell where they are."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from explainer.kit.measure import Stopped
from explainer.timing.measure import Race
from kvengine import PromptError
from kvengine.race import TimedStep


@dataclass(frozen=True)
class Count:
    """1, 2, 3, …, one every few milliseconds; stops where it is told to."""

    to: int = 10**9
    every: float = 0.002

    def run(self, stopped: Stopped) -> Iterator[int]:
        for n in range(1, self.to + 1):
            yield n
            time.sleep(self.every)


@dataclass(frozen=True)
class Deaf:
    """One result, and then work that never asks whether to stop, also when the result came after the stop."""

    def run(self, stopped: Stopped) -> Iterator[int]:
        try:
            yield os.getpid()
        finally:
            time.sleep(1000)


@dataclass(frozen=True)
class Crash:
    """One result, and then the process dies as if by a fault in a library."""

    code: int = 3

    def run(self, stopped: Stopped) -> Iterator[int]:
        yield os.getpid()
        os._exit(self.code)


@dataclass(frozen=True)
class Refuse:
    def run(self, stopped: Stopped) -> Iterator[int]:
        yield 1
        raise PromptError("There is no token to run.")


@dataclass(frozen=True)
class Break:
    def run(self, stopped: Stopped) -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("out of coffee")


@dataclass(frozen=True)
class Loud:
    """Prints where the answers go, if nothing prevents it."""

    def run(self, stopped: Stopped) -> Iterator[str]:
        print("noise " * 1000, flush=True)
        os.write(1, b"noise")
        yield "answer"


@dataclass(frozen=True)
class Tell:
    """What there is in the process."""

    def run(self, stopped: Stopped) -> Iterator[object]:
        yield os.getpid()
        yield sorted(name for name in sys.modules if name.partition(".")[0] in ("streamlit", "plotly"))
        yield torch.get_num_threads()


@dataclass(frozen=True)
class Unfinished:
    """A race that waits with a few of its steps until it is told to stop."""

    race: Race

    def run(self, stopped: Stopped) -> Iterator[TimedStep]:
        yield from islice(self.race.run(stopped), 5)
        while not stopped():
            time.sleep(0.01)


class Made:
    """A job made of a generator function, for a lab without a process: it cannot travel."""

    def __init__(self, run: Callable[[Stopped], Iterator[Any]]) -> None:
        self.run = run
