"""What the timing page can measure, as runs for the lab: the setting, and the generator that measures it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kvengine import Transformer
from kvengine.hardware import DTYPES, Hardware, hardware, place, threads
from kvengine.recording import Provenance
from kvengine.timing import Agreement, Row, TimedStep, agreement, lengths_up_to, race, sweep

Stopped = Callable[[], bool]

#: Seconds before the first clock starts: the page that asked has just been drawn anew by the same process.
SETTLE = 0.4


@dataclass(frozen=True)
class Setting:
    """What a run is measured with; it stays with its results when the page's choice moves on."""

    model: Transformer
    name: str
    prompt_ids: tuple[int, ...]
    device: str
    dtype: str
    threads: int

    @property
    def bytes_per_float(self) -> int:
        return DTYPES[self.dtype].itemsize

    @property
    def hardware(self) -> Hardware:
        return replace(hardware(self.device), threads=self.threads)

    def provenance(self, when: str) -> Provenance:
        return Provenance(when, self.name, self.dtype, self.hardware)


def now() -> str:
    """The time of day in UTC, as a run's provenance tells it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def race_of(setting: Setting, new_tokens: int) -> Callable[[Stopped], Iterator[TimedStep]]:
    """Both paths generate `new_tokens` tokens from the prompt; each step is a result."""

    def measure(stopped: Stopped) -> Iterator[TimedStep]:
        time.sleep(SETTLE)
        with threads(setting.threads):
            model = place(setting.model, device=setting.device, dtype=setting.dtype)
            yield from race(model, setting.prompt_ids, max_new_tokens=new_tokens)

    return measure


def sweep_of(setting: Setting, longest: int, *, with_cat: bool) -> Callable[[Stopped], Iterator[Row]]:
    """One step of every path at lengths up to `longest`; each length is a result."""

    def measure(stopped: Stopped) -> Iterator[Row]:
        time.sleep(SETTLE)
        with threads(setting.threads):
            model = place(setting.model, device=setting.device, dtype=setting.dtype, max_seq_len=longest)
            lengths = lengths_up_to(longest)
            yield from sweep(model, setting.prompt_ids, lengths, with_cat=with_cat, stopped=stopped)

    return measure


def agreement_of(
    setting: Setting, dtypes: tuple[str, ...], steps: int
) -> Callable[[Stopped], Iterator[Agreement]]:
    """Cached against naive in each precision; each precision is a result."""

    def measure(stopped: Stopped) -> Iterator[Agreement]:
        with threads(setting.threads):
            for dtype in dtypes:
                model = place(setting.model, device=setting.device, dtype=dtype)
                yield agreement(model, setting.prompt_ids, steps=steps, stopped=stopped)

    return measure
