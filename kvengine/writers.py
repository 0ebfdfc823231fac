"""The same text written twice, with a cache and without it: what each pass computed, read and kept.

Both writers run the same model from the same prompt, each on the tokens that it has written itself. For every
row that the writer without a cache computes again, its pass is held against its pass before.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.compare import agree
from kvengine.cost import pass_cost
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, greedy
from kvengine.hardware import synchronize
from kvengine.model import Transformer
from kvengine.timing import Clock

#: What of a row two passes are compared in: its keys and values, and the row itself, layer by layer.
COMPARED = ("attn.k_rot", "attn.v", "resid_mid", "resid_post")

#: Passes of the cached writer before its clock starts: after another's work it takes some to reach its pace.
REHEARSALS = 4


@dataclass(frozen=True)
class Pass:
    """One pass of one writer, and the token that it chose.

    `computed` and `read` are rows of keys, as they stood in the pass; `kept` is bytes in the cache after it.
    """

    computed: int
    read: int
    multiplications: int
    kept: int
    token_id: int


@dataclass(frozen=True)
class Word:
    """The passes that wrote one token, and what the naive one computed again.

    `equal` and `largest` have an entry for each row that the naive pass before had too: did all of its
    `numbers` come out as before, within `compare.TOLERANCE`, and the largest difference among them.
    `difference` is the largest between the two writers' logits.
    """

    naive: Pass
    cached: Pass
    equal: np.ndarray
    largest: np.ndarray
    numbers: int
    difference: float

    @property
    def same_token(self) -> bool:
        return self.naive.token_id == self.cached.token_id


@dataclass(frozen=True)
class Writing:
    """Both texts: `prompt_ids`, and a `Word` for each token written behind them."""

    prompt_ids: tuple[int, ...]
    words: tuple[Word, ...]

    @property
    def naive_ids(self) -> tuple[int, ...]:
        """The whole text of the writer without a cache."""
        return (*self.prompt_ids, *(word.naive.token_id for word in self.words))

    @property
    def cached_ids(self) -> tuple[int, ...]:
        """The whole text of the writer with a cache."""
        return (*self.prompt_ids, *(word.cached.token_id for word in self.words))

    @property
    def same_text(self) -> bool:
        return all(word.same_token for word in self.words)

    @property
    def nbytes(self) -> int:
        return sum(word.equal.nbytes + word.largest.nbytes for word in self.words)


@torch.inference_mode()
def write(
    model: Transformer,
    prompt_ids: Sequence[int],
    *,
    words: int,
    sampler: Sampler = greedy,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> Writing:
    """Let both writers add `words` tokens to the prompt; `progress(done, wanted)` hears of each.

    Raises `PromptError` for no tokens at all, `ContextLengthError` when the text outgrows the model.
    """
    if not prompt_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    if len(prompt_ids) + words > model.config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {model.config.max_seq_len} positions, and the text would reach "
            f"{len(prompt_ids) + words}; shorten it."
        )
    naive_ids, cached_ids = list(prompt_ids), list(prompt_ids)
    cache = KVCache(model.config, max_seq_len=len(prompt_ids) + words, device=model.device, dtype=model.dtype)
    before: list[np.ndarray] = []
    written: list[Word] = []
    for done in range(words):
        progress(done, words)
        naive, rows, naive_logits = _run(model, naive_ids, None, sampler)
        cached, _, cached_logits = _run(model, cached_ids[cache.length :], cache, sampler)
        pairs = [(was, now[: len(was)]) for was, now in zip(before, rows, strict=False)]
        written.append(
            Word(
                naive=naive,
                cached=cached,
                equal=_each_row(
                    np.logical_and, (np.asarray(agree(now, was).all(axis=1)) for was, now in pairs), bool
                ),
                largest=_each_row(np.maximum, (np.abs(now - was).max(axis=1) for was, now in pairs), float),
                numbers=sum(part.shape[1] for part in rows),
                difference=float((naive_logits - cached_logits).abs().max()),
            )
        )
        before = rows
        naive_ids.append(naive.token_id)
        cached_ids.append(cached.token_id)
    return Writing(tuple(prompt_ids), tuple(written))


def _run(
    model: Transformer, token_ids: Sequence[int], cache: KVCache | None, sampler: Sampler
) -> tuple[Pass, list[np.ndarray], Tensor]:
    """One pass: what it did, what of its rows is compared, each [rows, numbers], and its logits."""
    start = cache.length if cache else 0
    kept: list[np.ndarray] = []
    computed = against = 0

    def record(name: str, tensor: Tensor) -> Tensor:
        nonlocal computed, against
        if name.endswith(COMPARED) or name == "embed":
            rows = tensor[0] if tensor.ndim == 3 else tensor[0].transpose(0, 1).flatten(1)
            kept.append(rows.numpy(force=True).copy())
        if name.endswith("attn.k"):
            computed = tensor.shape[2]
        elif name.endswith("attn.k_all"):
            against = tensor.shape[2]
        return tensor

    ids = torch.tensor([list(token_ids)], dtype=torch.long, device=model.device)
    logits = model(ids, cache, record, last_only=True)[0, -1]
    done = Pass(
        computed=computed,
        read=against - computed,
        multiplications=pass_cost(model.config, q_len=computed, start=start).multiplications,
        kept=cache.used_bytes if cache else 0,
        token_id=sampler(logits, start + len(token_ids)),
    )
    return done, kept, logits


def _each_row(together: np.ufunc, of: Iterable[np.ndarray], kind: type) -> np.ndarray:
    """What is found of each row in all that is compared of it; nothing where there is no pass before."""
    found = list(of)
    return together.reduce(found) if found else np.zeros(0, dtype=kind)


@dataclass(frozen=True)
class Times:
    """Seconds that each token took, without a cache and with it: the fastest of `runs` passes each.

    Whatever else runs on the machine can only make a pass slower.
    """

    naive: tuple[float, ...]
    cached: tuple[float, ...]
    runs: int


@torch.inference_mode()
def measure(
    model: Transformer,
    writing: Writing,
    *,
    runs: int = 5,
    clock: Clock = time.perf_counter,
) -> Times:
    """Time the passes that wrote these texts, as generation runs them: no tap, the writers in turn.

    A turn begins with passes that are not timed. Nothing else should run on the machine meanwhile.
    """
    n, words = len(writing.prompt_ids), len(writing.words)
    cache = KVCache(model.config, max_seq_len=n + words, device=model.device, dtype=model.dtype)
    naive_ids = torch.tensor([writing.naive_ids], device=model.device)
    cached_ids = torch.tensor([writing.cached_ids], device=model.device)

    def timed(ids: Tensor, with_cache: KVCache | None) -> float:
        began = clock()
        int(model(ids, with_cache, last_only=True)[0, -1].argmax())
        synchronize(model.device)
        return clock() - began

    def cached(count: int) -> list[float]:
        cache.reset()
        return [timed(cached_ids[:, cache.length : n + i], cache) for i in range(count)]

    naive_runs: list[list[float]] = []
    cached_runs: list[list[float]] = []
    for _ in range(runs):
        timed(naive_ids[:, :n], None)
        naive_runs.append([timed(naive_ids[:, : n + i], None) for i in range(words)])
        cached(min(REHEARSALS, words))
        cached_runs.append(cached(words))
    return Times(
        naive=tuple(min(step) for step in zip(*naive_runs, strict=True)),
        cached=tuple(min(step) for step in zip(*cached_runs, strict=True)),
        runs=runs,
    )
