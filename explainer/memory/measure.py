"""What the memory page can measure: steps of many sequences at once, and a step with and without a cache."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from explainer.kit.measure import SETTLE, Setting, Stopped, placed
from kvengine import Config
from kvengine.batch import SIZES, STEPS, TURNS, BatchPoint, measure
from kvengine.cost import weight_floats
from kvengine.hardware import threads
from kvengine.timing import Row, lengths_up_to, sweep

#: A model with more parameters than this takes its time over each token.
LARGE = 10_000_000


@dataclass(frozen=True)
class Load:
    """How much is measured: a large model takes its time over each step."""

    sizes: tuple[int, ...]
    length: int
    steps: int
    turns: int

    @classmethod
    def of(cls, config: Config) -> "Load":
        if weight_floats(config) > LARGE:
            return cls(SIZES[:4], 24, 6, 3)
        return cls(SIZES, 64, STEPS, TURNS)


@dataclass(frozen=True)
class Batches:
    """Decode steps of 1 to 32 sequences; each size is a result, all of them at the end."""

    setting: Setting
    load: Load

    def run(self, stopped: Stopped) -> Iterator[BatchPoint]:
        load = self.load
        with threads(self.setting.threads):
            model = placed(self.setting)
            time.sleep(SETTLE)
            yield from measure(
                model,
                self.setting.prompt_ids,
                sizes=load.sizes,
                length=load.length,
                steps=load.steps,
                turns=load.turns,
                stopped=stopped,
            )


@dataclass(frozen=True)
class Steps:
    """The step at the end of the prompt with the cache and without, and shorter texts on the way there."""

    setting: Setting

    @property
    def lengths(self) -> tuple[int, ...]:
        n = len(self.setting.prompt_ids)
        return tuple(sorted({1, n})) if weight_floats(self.setting.config) > LARGE else lengths_up_to(n)

    def run(self, stopped: Stopped) -> Iterator[Row]:
        with threads(self.setting.threads):
            model = placed(self.setting)
            time.sleep(SETTLE)
            yield from sweep(model, self.setting.prompt_ids, self.lengths, stopped=stopped)
