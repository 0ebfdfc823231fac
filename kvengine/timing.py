"""Measured time of one step, with the cache and without: two real code paths read off one clock.

Everything here and in `race.py` runs the model untapped, as generation does, and counts the choice of the
token as part of a step. The clock is an argument, so that tests can bring their own.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.errors import PromptError
from kvengine.generate import generate
from kvengine.hardware import synchronize
from kvengine.model import Transformer

#: Seconds, from any starting point; never goes backwards.
Clock = Callable[[], float]

CACHED, NAIVE, CAT, PREFILL = "cached", "naive", "cat", "prefill"

#: The longest text that is timed, far past what the shipped models were trained on.
MAX_LENGTH = 2048


class CatCache(KVCache):
    """The popular mistake: `torch.cat` on every step, which copies the whole history to add one row.

    The same interface and the same numbers as `KVCache`; only the memory is handled differently.
    """

    def __init__(
        self,
        config: Config,
        *,
        batch: int = 1,
        max_seq_len: int | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.max_seq_len = config.max_seq_len if max_seq_len is None else max_seq_len
        empty = torch.zeros(batch, config.n_kv_heads, 0, config.head_dim, device=device, dtype=dtype)
        self._rows = [(empty, empty)] * config.n_layers
        self.length = 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        all_k, all_v = self._rows[layer]
        self._rows[layer] = torch.cat([all_k, k], dim=2), torch.cat([all_v, v], dim=2)
        return self._rows[layer]

    def crop(self, n: int) -> None:
        self._rows = [(k[:, :, :n].clone(), v[:, :, :n].clone()) for k, v in self._rows]
        self.length = n

    def reset(self) -> None:
        self.crop(0)

    @property
    def used_bytes(self) -> int:
        return sum(k.nbytes + v.nbytes for k, v in self._rows)

    @property
    def allocated_bytes(self) -> int:
        return self.used_bytes


@dataclass(frozen=True)
class Point:
    """Repeated timings of one operation on a text of `length` tokens: quartiles, in seconds."""

    path: str
    length: int
    q25: float
    median: float
    q75: float
    repeats: int


@dataclass(frozen=True)
class Row:
    """All that was measured at one length, and how far the paths agreed there.

    A step at length n is the pass that runs the n-th token and chooses the next: the cached one has n - 1
    tokens in its cache, the naive one runs all n. The prefill runs n tokens into an empty cache.
    """

    length: int
    points: dict[str, Point]
    same_token: bool
    difference: float  # the largest between the logits of the cached and the naive step


def lengths_up_to(end: int, start: int = 1) -> tuple[int, ...]:
    """start, 2 · start, 4 · start, … and `end` itself."""
    doubling = [start]
    while doubling[-1] * 2 < end:
        doubling.append(doubling[-1] * 2)
    return tuple(sorted({*doubling, end}))


@torch.inference_mode()
def sweep(
    model: Transformer,
    token_ids: Sequence[int],
    lengths: Sequence[int],
    *,
    with_cat: bool = False,
    with_prefill: bool = True,
    clock: Clock = time.perf_counter,
    stopped: Callable[[], bool] = lambda: False,
    seconds_per_point: float = 0.3,
) -> Iterator[Row]:
    """Time one step of every path, and the prefill, at each length; `token_ids` is repeated to fill it.

    Each operation is repeated 5 to 40 times, as `seconds_per_point` allows; 3 times where once takes longer
    than that. The repetitions come in rounds in which the operations take turns, so that a slow moment of the
    machine falls on all of them. A turn begins with a pass that is not timed, unless a pass takes so long
    that what it finds in the processor's caches makes no difference. A length that `stopped` interrupts
    gives no row.
    """
    if not token_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    repeated = list(token_ids) * (max(lengths) // len(token_ids) + 1)
    ids = torch.tensor([repeated[: max(lengths)]], device=model.device)

    def empty(kind: type[KVCache]) -> KVCache:
        return kind(model.config, max_seq_len=max(lengths), device=model.device, dtype=model.dtype)

    caches = {CACHED: empty(KVCache), CAT: empty(CatCache)} if with_cat else {CACHED: empty(KVCache)}
    scratch = empty(KVCache)
    filled = 0
    _warm_up(model, repeated[: min(16, len(repeated))])

    for length in sorted(lengths):
        for cache in caches.values():
            if length - 1 > filled:
                model(ids[:, filled : length - 1], cache, last_only=True)
        filled = length - 1
        operations: dict[str, Callable[[], Tensor]] = {
            path: _decode(model, ids[:, length - 1 : length], cache) for path, cache in caches.items()
        }
        operations[NAIVE] = _forward(model, ids[:, :length])
        if with_prefill:
            operations[PREFILL] = _prefill(model, ids[:, :length], scratch)
        timings = _take_turns(model, operations, clock, stopped, seconds_per_point, caches, filled)
        if timings is None:
            return
        cached, naive = operations[CACHED]()[0, -1], operations[NAIVE]()[0, -1]
        caches[CACHED].crop(filled)
        yield Row(
            length,
            {path: _point(path, length, timings[path]) for path in timings},
            bool(cached.argmax() == naive.argmax()),
            float((cached - naive).abs().max()),
        )


ROUNDS, FEWEST, FEW, MOST = 3, 3, 5, 40


def _take_turns(
    model: Transformer,
    operations: dict[str, Callable[[], Tensor]],
    clock: Clock,
    stopped: Callable[[], bool],
    seconds_per_point: float,
    caches: dict[str, KVCache],
    filled: int,
) -> dict[str, list[float]] | None:
    def timed(path: str) -> float:
        began = clock()
        int(operations[path]()[0, -1].argmax())
        synchronize(model.device)
        seconds = clock() - began
        if path in caches:
            caches[path].crop(filled)  # each repetition appends the same row to the same history
        return seconds

    timings: dict[str, list[float]] = {path: [] for path in operations}
    for turn in range(ROUNDS):
        for path, taken in timings.items():
            if stopped():
                return None
            first = timed(path)
            fewest = FEWEST if first > seconds_per_point else FEW
            total = min(MOST, max(fewest, int(seconds_per_point / max(first, 1e-9))))
            left = total * (turn + 1) // ROUNDS - total * turn // ROUNDS
            if first * FEW > seconds_per_point:
                taken.append(first)
                left -= 1
            for _ in range(left):
                if stopped():
                    return None
                taken.append(timed(path))
    return timings


def _decode(model: Transformer, token: Tensor, cache: KVCache) -> Callable[[], Tensor]:
    return lambda: model(token, cache, last_only=True)


def _forward(model: Transformer, ids: Tensor) -> Callable[[], Tensor]:
    return lambda: model(ids, last_only=True)


def _prefill(model: Transformer, ids: Tensor, cache: KVCache) -> Callable[[], Tensor]:
    def run() -> Tensor:
        cache.reset()
        return model(ids, cache, last_only=True)

    return run


def _point(path: str, length: int, seconds: Sequence[float]) -> Point:
    q25, median, q75 = (float(q) for q in np.percentile(seconds, [25, 50, 75]))
    return Point(path, length, q25, median, q75, len(seconds))


def _warm_up(model: Transformer, prompt_ids: Sequence[int]) -> None:
    """First calls pay for memory, threads and kernels that every later one finds ready."""
    room = min(3, model.config.max_seq_len - len(prompt_ids) + 1)
    for use_cache in (True, False):
        for _ in generate(model, prompt_ids, max_new_tokens=max(1, room), use_cache=use_cache):
            pass
    synchronize(model.device)


@dataclass(frozen=True)
class Agreement:
    """How far cached and naive steps over the same text agree in one precision."""

    dtype: str
    steps: int
    same_tokens: int
    difference: float  # the largest between any two logits


@torch.inference_mode()
def agreement(
    model: Transformer, prompt_ids: Sequence[int], *, steps: int, stopped: Callable[[], bool] = lambda: False
) -> Agreement:
    """Let the cached path write `steps` tokens, and ask the naive path for each of them on the same text."""
    token_ids, done, same, difference = list(prompt_ids), 0, 0, 0.0
    for step in generate(model, prompt_ids, max_new_tokens=steps, use_cache=True):
        if stopped():
            break
        naive = model(torch.tensor([token_ids], device=model.device), last_only=True)[0, -1]
        done += 1
        same += int(naive.argmax()) == step.token_id
        difference = max(difference, float((naive.cpu().double() - step.logits.cpu().double()).abs().max()))
        token_ids.append(step.token_id)
    return Agreement(str(model.dtype).removeprefix("torch."), done, same, difference)
