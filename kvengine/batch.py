"""Many sequences in one pass: they share the weights that a step reads, and each has a cache of its own."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.cost import cache_bytes, weight_floats
from kvengine.generate import sampler, text_of_length
from kvengine.hardware import synchronize
from kvengine.model import Transformer
from kvengine.timing import Clock

SIZES = (1, 2, 4, 8, 16, 32)
#: Steps that are timed in one turn, and turns of each batch; the median of all is told.
STEPS, TURNS = 24, 5


@dataclass(frozen=True)
class BatchPoint:
    """A decode step of `batch` sequences at once, and whether each came out as it does alone.

    Times are quartiles of one step, in seconds. The bytes are those that a step has to read: the weights,
    and the caches of all sequences at the length in the middle of those that were timed.
    """

    batch: int
    q25: float
    median: float
    q75: float
    repeats: int
    weight_bytes: int
    cache_bytes: int
    compared: int  # tokens of sequences that were run alone too
    same: bool  # did all of them come out the same?
    difference: float  # the largest between logits in the batch and alone

    @property
    def tokens_per_second(self) -> float:
        return self.batch / self.median

    @property
    def bytes_per_token(self) -> float:
        return (self.weight_bytes + self.cache_bytes) / self.batch


def texts(model: Transformer, prompt_ids: Sequence[int], n: int, count: int) -> Tensor:
    """`count` different texts of `n` tokens: what the model draws behind the prompt, begun at other places.

    Each begins with the prompt's first token, the start of every text. [count, n] Raises `PromptError` for no
    prompt at all, `ContextLengthError` where n + count is more than the model's positions.
    """
    long = text_of_length(model, prompt_ids, n + count, sampler=sampler(1.0))
    rows = [(long[0], *long[1 + i : n + i]) for i in range(count)]
    return torch.tensor(rows, device=model.device)


@torch.inference_mode()
def continued(
    model: Transformer, token_ids: Tensor, steps: int, *, clock: Clock = time.perf_counter
) -> tuple[Tensor, Tensor, list[float]]:
    """Every row of `token_ids` [batch, n] goes on by `steps` greedy tokens, all rows in one pass a step.

    Gives the tokens [batch, steps], the logits [batch, steps, vocab_size] that they were chosen from, and the
    seconds of each step; the first is the prefill.
    """
    batch, n = token_ids.shape
    cache = KVCache(
        model.config, batch=batch, max_seq_len=n + steps - 1, device=model.device, dtype=model.dtype
    )
    fresh, taken, logits, seconds = token_ids, [], [], []
    for _ in range(steps):
        began = clock()
        row = model(fresh, cache, last_only=True)[:, -1]
        fresh = row.argmax(dim=-1, keepdim=True)
        synchronize(model.device)
        seconds.append(clock() - began)
        taken.append(fresh)
        logits.append(row)
    return torch.cat(taken, dim=1), torch.stack(logits, dim=1), seconds


@torch.inference_mode()
def measure(
    model: Transformer,
    prompt_ids: Sequence[int],
    *,
    sizes: Sequence[int] = SIZES,
    length: int = 64,
    steps: int = STEPS,
    turns: int = TURNS,
    clock: Clock = time.perf_counter,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[BatchPoint]:
    """Time decode steps of several sequences at once, and hold each sequence against itself alone.

    All texts have `length` tokens when the first step begins. The batches take turns, so that a slow moment
    of the machine falls on all of them; after the last turn each gives a point. Nothing comes when `stopped`.
    """
    rows = texts(model, prompt_ids, length, max(sizes))
    alone = []
    for row in rows:
        if stopped():
            return
        tokens, logits, _ = continued(model, row[None], steps + 1)
        alone.append((tokens, logits))
    tokens_alone = torch.cat([tokens for tokens, _ in alone])
    logits_alone = torch.cat([logits for _, logits in alone])
    times: dict[int, list[float]] = {size: [] for size in sizes}
    found: dict[int, tuple[bool, float]] = {}
    for _ in range(turns):
        for size in sizes:
            if stopped():
                return
            tokens, logits, seconds = continued(model, rows[:size], steps + 1, clock=clock)
            times[size] += seconds[1:]  # the first is the prefill
            same = bool((tokens == tokens_alone[:size]).all())
            found[size] = same, _difference(tokens, logits, tokens_alone[:size], logits_alone[:size])
    itemsize = model.dtype.itemsize
    for size in sizes:
        q25, median, q75 = quantiles(times[size], n=4)
        yield BatchPoint(
            size,
            q25,
            median,
            q75,
            len(times[size]),
            weight_floats(model.config) * itemsize,
            cache_bytes(model.config, length + steps // 2, batch=size, bytes_per_float=itemsize),
            size * (steps + 1),
            *found[size],
        )


def _difference(tokens: Tensor, logits: Tensor, tokens_alone: Tensor, logits_alone: Tensor) -> float:
    """The largest while the texts are the same; past the first other token they differ anyway."""
    same_text = (tokens == tokens_alone).cumprod(dim=1).bool()
    same_text = torch.cat([torch.ones_like(same_text[:, :1]), same_text[:, :-1]], dim=1)
    return float((logits - logits_alone).abs().amax(dim=-1)[same_text].max())
