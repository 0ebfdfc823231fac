"""What the memory page can measure: steps of many sequences at once, and a step with and without a cache."""

from collections.abc import Iterator
from dataclasses import dataclass

from explainer.kit.measure import Setting, Stopped, is_large, ready
from kvengine import Config
from kvengine.batch import SIZES, STEPS, TURNS, BatchPoint, measure
from kvengine.cost import weight_floats
from kvengine.timing import Row, lengths_up_to, sweep

#: Of a model with more parameters than this so little is measured that it ends within the time of a run.
VAST = 500_000_000
#: Multiplications that the longest step without a cache may take, a second or two: a longer text is cut.
MOST_WORK = 60e9


@dataclass(frozen=True)
class Load:
    """How much is measured: a large model takes its time over each step."""

    sizes: tuple[int, ...]
    length: int
    steps: int
    turns: int

    @classmethod
    def of(cls, config: Config) -> "Load":
        if weight_floats(config) > VAST:
            return cls(SIZES[:3], 16, 3, 2)
        if is_large(config):
            return cls(SIZES[:4], 24, 6, 3)
        return cls(SIZES, 64, STEPS, TURNS)


@dataclass(frozen=True)
class Batches:
    """Decode steps of 1 to 32 sequences; each size is a result, all of them at the end."""

    setting: Setting
    load: Load

    def run(self, stopped: Stopped) -> Iterator[BatchPoint]:
        load = self.load
        with ready(self.setting) as model:
            yield from measure(
                model,
                self.setting.prompt_ids,
                sizes=load.sizes,
                length=load.length,
                steps=load.steps,
                turns=load.turns,
                stopped=stopped,
            )


def measurable(config: Config) -> int:
    """Tokens of the longest text whose steps without a cache end within the time of a run."""
    return max(16, round(MOST_WORK / weight_floats(config)))


@dataclass(frozen=True)
class Steps:
    """The step at the end of the prompt with the cache and without, and shorter texts on the way there."""

    setting: Setting

    @property
    def lengths(self) -> tuple[int, ...]:
        n = len(self.setting.prompt_ids)
        return tuple(sorted({1, n})) if is_large(self.setting.config) else lengths_up_to(n)

    def run(self, stopped: Stopped) -> Iterator[Row]:
        with ready(self.setting) as model:
            yield from sweep(
                model, self.setting.prompt_ids, self.lengths, with_prefill=False, stopped=stopped
            )
