"""What a measurement is: a job that travels to the measuring process, and what it is measured with.

A job is plain data, so that it can be pickled; its `run` yields results that can be, too. No streamlit here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeVar

from kvengine import Config, Transformer, load_model
from kvengine.hardware import DTYPES, Hardware, hardware, place
from kvengine.recording import Provenance

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


def placed(setting: Setting, dtype: str = "", longest: int = 0) -> Transformer:
    """The setting's model, where and how it is to be measured."""
    model = _model(setting.name)
    return place(model, device=setting.device, dtype=dtype or setting.dtype, max_seq_len=longest)
