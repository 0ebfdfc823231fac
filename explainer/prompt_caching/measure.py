"""What this page has measured, in a process where no other visitor's work falls into the clock."""

from collections.abc import Iterator
from dataclasses import dataclass

from explainer.kit.measure import Setting, Stopped, is_large, ready
from kvengine import Config
from kvengine.ahead import times_behind
from kvengine.reuse import first_token

#: Passes each way of which the fastest counts; of a large model a few are slow enough.
RUNS, RUNS_LARGE = 5, 2


def runs_of(config: Config) -> int:
    """How often each way is taken."""
    return RUNS_LARGE if is_large(config) else RUNS


def as_served(name: str, config: Config, token_ids: tuple[int, ...] = ()) -> Setting:
    """As the page itself runs it: on the processor, in float32, one thread."""
    return Setting(name, config, token_ids, device="cpu", dtype="float32", threads=1)


@dataclass(frozen=True)
class FirstToken:
    """The time to the first token of a prompt, of which `reused` tokens are in a store, and without it."""

    setting: Setting
    block: int
    reused: int

    def run(self, stopped: Stopped) -> Iterator[tuple[float, ...]]:
        with ready(self.setting) as model:
            yield from first_token(
                model,
                self.setting.prompt_ids,
                reused=self.reused,
                block=self.block,
                runs=runs_of(self.setting.config),
            )


@dataclass(frozen=True)
class Behind:
    """Loading a document, then the time to the first token of each question behind it, and without it."""

    setting: Setting
    questions: tuple[tuple[int, ...], ...]

    def run(self, stopped: Stopped) -> Iterator[tuple[float, ...]]:
        with ready(self.setting) as model:
            runs = runs_of(self.setting.config)
            yield from times_behind(model, self.setting.prompt_ids, self.questions, runs=runs)
