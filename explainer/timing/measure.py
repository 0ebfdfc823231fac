"""What the timing page can measure: jobs that travel to the measuring process, and are run there.

A job is plain data, so that it can be pickled; its `run` yields results that can be, too. No streamlit here.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeVar

from kvengine import Config, Transformer, load_model
from kvengine.hardware import DTYPES, Hardware, hardware, place, threads
from kvengine.race import TimedStep, race
from kvengine.recording import Provenance
from kvengine.timing import Agreement, Row, agreement, lengths_up_to, sweep

T_co = TypeVar("T_co", covariant=True)

#: Seconds before the first clock starts: the page that asked has just been drawn anew, often by this machine.
SETTLE = 0.4

#: Asked before every step: should the measurement end now?
Stopped = Callable[[], bool]


class Job(Protocol[T_co]):
    """A measurement. `run` goes on where `stopped` allows it, and yields results one by one."""

    def run(self, stopped: Stopped) -> Iterator[T_co]: ...


@dataclass(frozen=True)
class Setting:
    """What a run is measured with; it stays with its results when the page's choice moves on."""

    name: str
    config: Config
    prompt_ids: tuple[int, ...]
    device: str
    dtype: str
    threads: int

    @property
    def bytes_per_float(self) -> int:
        return DTYPES[self.dtype].itemsize

    @property
    def hardware(self) -> Hardware:
        return hardware(self.device, self.threads)

    def provenance(self, when: str) -> Provenance:
        return Provenance(when, self.name, self.dtype, self.hardware)


def now() -> str:
    """The time of day in UTC, as a run's provenance tells it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@lru_cache(maxsize=4)
def _model(name: str) -> Transformer:
    return load_model(name)


def _placed(setting: Setting, dtype: str = "", longest: int = 0) -> Transformer:
    model = _model(setting.name)
    return place(model, device=setting.device, dtype=dtype or setting.dtype, max_seq_len=longest)


@dataclass(frozen=True)
class Race:
    """Both paths generate `new_tokens` tokens from the prompt; each step is a result."""

    setting: Setting
    new_tokens: int

    def run(self, stopped: Stopped) -> Iterator[TimedStep]:
        with threads(self.setting.threads):
            model, ids = _placed(self.setting), self.setting.prompt_ids
            time.sleep(SETTLE)
            yield from race(model, ids, max_new_tokens=self.new_tokens, stopped=stopped)


@dataclass(frozen=True)
class Sweep:
    """One step of every path at lengths up to `longest`; each length is a result."""

    setting: Setting
    longest: int
    with_cat: bool

    def run(self, stopped: Stopped) -> Iterator[Row]:
        with threads(self.setting.threads):
            model, lengths = _placed(self.setting, longest=self.longest), lengths_up_to(self.longest)
            time.sleep(SETTLE)
            yield from sweep(model, self.setting.prompt_ids, lengths, with_cat=self.with_cat, stopped=stopped)


@dataclass(frozen=True)
class Agree:
    """Cached against naive in each precision; each precision is a result."""

    setting: Setting
    dtypes: tuple[str, ...]
    steps: int

    def run(self, stopped: Stopped) -> Iterator[Agreement]:
        with threads(self.setting.threads):
            for dtype in self.dtypes:
                model = _placed(self.setting, dtype)
                yield agreement(model, self.setting.prompt_ids, steps=self.steps, stopped=stopped)
