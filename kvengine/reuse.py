"""A request served from a prefix cache, held against the same one computed in full; and where two texts part.

Both ways run `prefill` and decode token by token; the clock takes them in turn.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.compare import agree
from kvengine.cost import pass_cost
from kvengine.generate import Sampler, greedy
from kvengine.hardware import synchronize
from kvengine.model import Transformer
from kvengine.prefix import Change, Prefill, PrefixCache, Slab, keep, prefill
from kvengine.timing import Clock
from kvengine.tokenizer import END_OF_TEXT


@dataclass(frozen=True)
class Served:
    """One request, with the reused beginning and without it.

    `seconds` to the first token and `multiplications` of the prefill are (with, without). `differences` are
    the largest between both ways: of the prompt's keys and values, and of the logits while the answers agree.
    `gap` is the smallest distance between the two highest logits in that time: a difference of less than half
    of it cannot change which is highest.
    """

    token_ids: tuple[int, ...]
    reused: int
    answer_ids: tuple[int, ...]
    plain_ids: tuple[int, ...]  # the answer without reuse
    differences: dict[str, float]
    numbers: int  # compared in all
    gap: float
    seconds: tuple[float, float]
    multiplications: tuple[int, int]
    change: Change[Slab]

    @property
    def computed(self) -> int:
        return len(self.token_ids) - self.reused

    @property
    def same_answer(self) -> bool:
        return self.answer_ids == self.plain_ids


@torch.inference_mode()
def serve(
    model: Transformer,
    token_ids: Sequence[int],
    prefixes: PrefixCache[Slab],
    *,
    new_tokens: int,
    sampler: Sampler = greedy,
    runs: int = 5,
    clock: Clock = time.perf_counter,
) -> Served:
    """Answer a prompt with at most `new_tokens` tokens, and keep it and its answer for later requests.

    The last token of the answer never ran through the model: it has no keys and values to keep. The times are
    the fastest of `runs` each, looking up and copying included; nothing else should run meanwhile.
    Raises what `prefill` raises, and for an answer past the model's positions `ContextLengthError`.
    """
    seconds = _times(model, token_ids, prefixes, runs, clock)
    ours = prefill(model, token_ids, prefixes, room=new_tokens)
    full = prefill(model, token_ids, room=new_tokens)
    n = len(token_ids)
    pairs = {"K": (ours.cache.k, full.cache.k), "V": (ours.cache.v, full.cache.v)}
    differences = {name: float((a[..., :n, :] - b[..., :n, :]).abs().max()) for name, (a, b) in pairs.items()}
    answer, logits = _go_on(model, token_ids, ours, new_tokens, sampler)
    plain, plain_logits = _go_on(model, token_ids, full, new_tokens, sampler)
    agree = 1 + next(
        (i for i, (a, b) in enumerate(zip(answer, plain, strict=False)) if a != b), len(answer) - 1
    )
    both = logits[:agree], plain_logits[:agree]
    differences["logits"] = max(float((a - b).abs().max()) for a, b in zip(*both, strict=True))
    highest = [one.topk(2).values for one in both[1]]
    change = keep(prefixes, (*token_ids, *answer), ours.cache)
    reused = ours.reused
    cost = pass_cost(model.config, q_len=n - reused, start=reused), pass_cost(model.config, q_len=n)
    return Served(
        token_ids=tuple(token_ids),
        reused=reused,
        answer_ids=answer,
        plain_ids=plain,
        differences=differences,
        numbers=n * model.config.kv_floats_per_token + agree * model.config.vocab_size,
        gap=min(float(best - second) for best, second in highest),
        seconds=seconds,
        multiplications=(cost[0].multiplications, cost[1].multiplications),
        change=change,
    )


def _times(
    model: Transformer, token_ids: Sequence[int], prefixes: PrefixCache[Slab], runs: int, clock: Clock
) -> tuple[float, float]:
    """Seconds to the first token with the known beginning and without, in turn."""

    def timed(known: PrefixCache[Slab] | None) -> float:
        began = clock()
        int(prefill(model, token_ids, known, counted=False).logits.argmax())
        synchronize(model.device)
        return clock() - began

    pairs = [(timed(prefixes), timed(None)) for _ in range(runs)]
    return min(ours for ours, _ in pairs), min(full for _, full in pairs)


def _go_on(
    model: Transformer, token_ids: Sequence[int], found: Prefill, most: int, sampler: Sampler
) -> tuple[tuple[int, ...], list[Tensor]]:
    """The answer behind a prefill, to its end or `most` tokens, and the logits that each was chosen from."""
    answer, logits = [sampler(found.logits, len(token_ids))], [found.logits]
    while len(answer) < most and answer[-1] != END_OF_TEXT:
        ids = torch.tensor([answer[-1:]], device=model.device)
        logits.append(model(ids, found.cache, last_only=True)[0, -1])
        answer.append(sampler(logits[-1], len(token_ids) + len(answer)))
    return tuple(answer), logits


@dataclass(frozen=True)
class Parted:
    """The keys and values of a text held against those of an earlier one, layer by layer.

    `compared` [tokens]: had the earlier text a row for it; `k_same` and `v_same` [n_layers, tokens]: are all
    numbers equal within `compare.TOLERANCE`; `k_largest` and `v_largest` the largest difference among them.
    """

    compared: np.ndarray
    k_same: np.ndarray
    v_same: np.ndarray
    k_largest: np.ndarray
    v_largest: np.ndarray


def parted(
    model: Transformer, earlier_ids: Sequence[int], token_ids: Sequence[int], rows: Sequence[int]
) -> Parted:
    """Compute both texts in full, and hold each row against the earlier text's row `rows[i]`; -1 has none."""
    earlier, later = prefill(model, earlier_ids).cache, prefill(model, token_ids).cache
    index = np.asarray(rows)
    found = index >= 0
    sides = []
    for was, now in ((earlier.k, later.k), (earlier.v, later.v)):
        old = was[:, 0].numpy(force=True)[
            :, :, np.where(found, index, 0)
        ]  # [n_layers, n_kv_heads, tokens, head_dim]
        new = now[:, 0].numpy(force=True)
        equal = agree(new, old).all(axis=(1, 3))
        largest = np.abs(new - old).max(axis=(1, 3))
        sides.append((equal & found, np.where(found, largest, 0)))
    (k_same, k_largest), (v_same, v_largest) = sides
    return Parted(found, k_same, v_same, k_largest, v_largest)


@dataclass(frozen=True)
class Asked:
    """One question behind a document: with the document's rows kept, and with all of it computed again.

    `seconds` to the first token and `multiplications` of the prefill are (kept, again); `difference` is the
    largest between the logits of the first token.
    """

    question_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    plain_ids: tuple[int, ...]
    difference: float
    seconds: tuple[float, float]
    multiplications: tuple[int, int]


@dataclass(frozen=True)
class Loaded:
    """A document whose keys and values were computed ahead, once, and what was asked behind it.

    Cache-augmented generation: arXiv 2412.15605. `seconds` and `multiplications` are those of loading it.
    """

    document_ids: tuple[int, ...]
    nbytes: int
    seconds: float
    multiplications: int
    questions: tuple[Asked, ...]


@torch.inference_mode()
def ask_behind(
    model: Transformer,
    document_ids: Sequence[int],
    questions: Sequence[Sequence[int]],
    *,
    new_tokens: int,
    sampler: Sampler = greedy,
    runs: int = 3,
    clock: Clock = time.perf_counter,
) -> Loaded:
    """Load a document once; put each question behind it, answer, and cut the cache back to the document.

    The times are the fastest of `runs`, both ways in turn; nothing else should run meanwhile. Raises what
    `prefill` raises, and `ContextLengthError` where the longest answer would outgrow the model.
    """
    n = len(document_ids)
    room = max((len(question) for question in questions), default=0) + new_tokens
    loading = []
    for _ in range(runs):
        began = clock()
        loaded = prefill(model, document_ids, room=room)
        synchronize(model.device)
        loading.append(clock() - began)
    cache = loaded.cache
    nbytes = cache.used_bytes

    def behind(question: Sequence[int]) -> Prefill:
        cache.crop(n)
        ids = torch.tensor([list(question)], device=model.device)
        return Prefill(n, cache, model(ids, cache, last_only=True)[0, -1])

    def timed(run: Callable[[], Prefill]) -> float:
        began = clock()
        int(run().logits.argmax())
        synchronize(model.device)
        return clock() - began

    found = []
    for question in questions:
        ids = (*document_ids, *question)

        def again(ids: Sequence[int] = ids) -> Prefill:
            return prefill(model, ids, room=new_tokens)

        def kept(question: Sequence[int] = question) -> Prefill:
            return behind(question)

        pairs = [(timed(kept), timed(again)) for _ in range(runs)]
        ours, full = kept(), again()
        costs = pass_cost(model.config, q_len=len(question), start=n), pass_cost(model.config, q_len=len(ids))
        found.append(
            Asked(
                question_ids=tuple(question),
                answer_ids=_go_on(model, ids, ours, new_tokens, sampler)[0],
                plain_ids=_go_on(model, ids, full, new_tokens, sampler)[0],
                difference=float((ours.logits - full.logits).abs().max()),
                seconds=(min(a for a, _ in pairs), min(b for _, b in pairs)),
                multiplications=(costs[0].multiplications, costs[1].multiplications),
            )
        )
    load = pass_cost(model.config, q_len=n).multiplications
    return Loaded(tuple(document_ids), nbytes, min(loading), load, tuple(found))
