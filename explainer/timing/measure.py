"""What the timing page can measure."""

from collections.abc import Iterator
from dataclasses import dataclass

from explainer.kit.measure import Setting, Stopped, placed, ready
from kvengine.hardware import threads
from kvengine.race import TimedStep, race
from kvengine.timing import Agreement, Row, agreement, lengths_up_to, sweep


@dataclass(frozen=True)
class Race:
    """Both paths generate `new_tokens` tokens from the prompt; each step is a result."""

    setting: Setting
    new_tokens: int

    def run(self, stopped: Stopped) -> Iterator[TimedStep]:
        with ready(self.setting) as model:
            yield from race(model, self.setting.prompt_ids, max_new_tokens=self.new_tokens, stopped=stopped)


@dataclass(frozen=True)
class Sweep:
    """One step of every path at lengths up to `longest`; each length is a result."""

    setting: Setting
    longest: int
    with_cat: bool

    def run(self, stopped: Stopped) -> Iterator[Row]:
        with ready(self.setting, self.longest) as model:
            lengths = lengths_up_to(self.longest)
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
