"""What the timing page can measure."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from explainer.kit.measure import SETTLE, Setting, Stopped, placed
from kvengine.hardware import threads
from kvengine.race import TimedStep, race
from kvengine.timing import Agreement, Row, agreement, lengths_up_to, sweep


@dataclass(frozen=True)
class Race:
    """Both paths generate `new_tokens` tokens from the prompt; each step is a result."""

    setting: Setting
    new_tokens: int

    def run(self, stopped: Stopped) -> Iterator[TimedStep]:
        with threads(self.setting.threads):
            model, ids = placed(self.setting), self.setting.prompt_ids
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
            model, lengths = placed(self.setting, longest=self.longest), lengths_up_to(self.longest)
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
                model = placed(self.setting, dtype)
                yield agreement(model, self.setting.prompt_ids, steps=self.steps, stopped=stopped)
