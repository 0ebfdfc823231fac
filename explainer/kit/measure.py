"""What a measurement is: a job that travels to the measuring process, and what it is measured with.

A job is plain data, so that it can be pickled; its `run` yields results that can be, too. No streamlit here.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeVar

from kvengine import Config, Transformer, load_model
from kvengine.cost import weight_floats
from kvengine.hardware import DTYPES, Hardware, hardware, place, threads
from kvengine.recording import Provenance

T_co = TypeVar("T_co", covariant=True)

#: Seconds before the first clock starts: the page that asked has just been drawn anew, often by this machine.
SETTLE = 0.4

#: A model with more parameters than this takes its time over each token.
LARGE = 10_000_000

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


def is_large(config: Config) -> bool:
    """Does the model take its time over each token, so that less has to be measured of it?"""
    return weight_floats(config) > LARGE


def now() -> str:
    """The time of day in UTC, as a run's provenance tells it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@lru_cache(maxsize=4)
def _model(name: str) -> Transformer:
    return load_model(name)


def placed(setting: Setting, dtype: str = "", longest: int = 0) -> Transformer:
    """The setting's model, where and how it is to be measured."""
    model = _model(setting.name)
    return place(model, device=setting.device, dtype=dtype or setting.dtype, max_seq_len=longest)


@contextmanager
def ready(setting: Setting, longest: int = 0) -> Iterator[Transformer]:
    """The setting's model on its threads, once the page that asked has been drawn: clocks may start."""
    with threads(setting.threads):
        model = placed(setting, longest=longest)
        time.sleep(SETTLE)
        yield model
