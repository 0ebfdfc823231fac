"""Two generations against one clock: cached and naive write the same text, taking turns in blocks.

Each path is timed as it would run alone. A cached step is short, and one that follows a naive step finds the
processor's caches full of another's numbers: taking turns after every token made it up to twice as slow as in
a real run. So a turn is a whole block of tokens, and begins with steps that are not timed.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from kvengine.cache import KVCache
from kvengine.generate import greedy
from kvengine.hardware import synchronize
from kvengine.model import Transformer
from kvengine.timing import CACHED, NAIVE, Clock

#: Tokens that a path writes in one turn.
BLOCK = 16

#: Passes at the beginning of a turn that are not timed. Measured: after a naive turn it takes a cached step
#: three passes to reach its pace; a naive step is so long that its first one hardly differs.
REHEARSALS = {CACHED: 4, NAIVE: 1}

#: How often the first token is timed; its time is the median. One single prefill would say little.
FIRSTS = 7


@dataclass(frozen=True)
class TimedStep:
    """One generated token of one path, the position it takes, and the time its pass took."""

    path: str
    position: int
    token_id: int
    seconds: float
    repeats: int = 1  # of which `seconds` is the median


class _Path:
    """The loop of `generate`, one step at a time, with its memory taken before any clock starts."""

    def __init__(self, model: Transformer, prompt_ids: Sequence[int], room: int, *, use_cache: bool) -> None:
        self.model, self.token_ids = model, list(prompt_ids)
        self.cache: KVCache | None = None
        if use_cache:
            self.cache = KVCache(model.config, max_seq_len=room, device=model.device, dtype=model.dtype)

    def timed(self, clock: Clock) -> tuple[int, float]:
        """The next token, and the seconds of its pass and its choice."""
        began = clock()
        fresh = self.token_ids if self.cache is None else self.token_ids[self.cache.length :]
        ids = torch.tensor([fresh], dtype=torch.long, device=self.model.device)
        logits = self.model(ids, self.cache, last_only=True)[0, -1]
        token_id = greedy(logits, len(self.token_ids))
        synchronize(self.model.device)
        return token_id, clock() - began

    def rehearsed(self, clock: Clock) -> float:
        """The seconds of the next step, taken and forgotten again."""
        length = self.cache.length if self.cache else 0
        _, seconds = self.timed(clock)
        if self.cache:
            self.cache.crop(length)
        return seconds

    def warm(self, times: int) -> None:
        """Take the next step and forget it, without looking at the clock."""
        for _ in range(times):
            self.rehearsed(lambda: 0.0)


@torch.inference_mode()
def race(
    model: Transformer,
    prompt_ids: Sequence[int],
    *,
    max_new_tokens: int,
    clock: Clock = time.perf_counter,
    stopped: Callable[[], bool] = lambda: False,
    block: int = BLOCK,
    rehearsals: Mapping[str, int] = REHEARSALS,
) -> Iterator[TimedStep]:
    """Generate the same text twice, cached and naive, and time every step.

    They take turns on the caller's thread, so neither runs while the other's clock does. The first token of
    each comes out of its prefill, whose time is the median of several. After that a turn is `block` tokens
    behind `rehearsals` passes outside the clock, and its steps come when it is over. Before every step,
    `stopped` is asked whether to go on.
    """
    room = min(len(prompt_ids) + max_new_tokens, model.config.max_seq_len)
    paths = {
        CACHED: _Path(model, prompt_ids, room, use_cache=True),
        NAIVE: _Path(model, prompt_ids, room, use_cache=False),
    }
    firsts: dict[str, list[float]] = {name: [] for name in paths}
    for name, path in paths.items():
        path.warm(rehearsals[name])
    for _ in range(FIRSTS - 1):
        for name, path in paths.items():
            if stopped():
                return
            firsts[name].append(path.rehearsed(clock))
    for name, path in paths.items():
        step = _step(name, path, clock)
        firsts[name].append(step.seconds)
        yield TimedStep(name, step.position, step.token_id, median(firsts[name]), FIRSTS)

    for start in range(1, max_new_tokens, block):
        for name, path in paths.items():
            if stopped():
                return
            path.warm(rehearsals[name])
            taken: list[TimedStep] = []
            while len(taken) < min(block, max_new_tokens - start) and not stopped():
                taken.append(_step(name, path, clock))
            yield from taken


def _step(name: str, path: _Path, clock: Clock) -> TimedStep:
    token_id, seconds = path.timed(clock)
    path.token_ids.append(token_id)
    return TimedStep(name, len(path.token_ids) - 1, token_id, seconds)
