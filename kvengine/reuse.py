"""A request served from a prefix cache, held against the same one computed in full; and where two texts part.

`serve` answers, `prove` computes the same without the store and compares, `first_token` takes the times of
both in turn: three steps, so that nobody waits for the proof before they see the answer.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.compare import agree
from kvengine.cost import cache_bytes, pass_cost
from kvengine.generate import Sampler, greedy
from kvengine.hardware import synchronize
from kvengine.model import Transformer
from kvengine.prefix import Change, Prefill, PrefixCache, Slab, keep, prefill, prefix_cache
from kvengine.timing import Clock
from kvengine.tokenizer import END_OF_TEXT


@dataclass(frozen=True)
class Served:
    """One request: `reused` of its tokens were read, the others computed, and an answer was written.

    `multiplications` of the prefill are (with the store, without it); `change` is what it did to the store.
    """

    token_ids: tuple[int, ...]
    reused: int
    answer_ids: tuple[int, ...]
    multiplications: tuple[int, int]
    change: Change[Slab]

    @property
    def computed(self) -> int:
        return len(self.token_ids) - self.reused


@dataclass(frozen=True)
class Computed:
    """What a request computed: the keys and values of its prompt and answer, and the logits [vocab_size] that
    each token of the answer was chosen from."""

    prefill: Prefill
    logits: tuple[Tensor, ...]


@dataclass(frozen=True)
class Proof:
    """A request held against the same one without the store.

    `differences` are the largest between both: of the prompt's keys and values, and of the logits while the
    answers agree. `gap` is the smallest distance between the two highest logits in that time: a difference of
    less than half of it cannot change which is highest.
    """

    plain_ids: tuple[int, ...]  # the answer without the store
    same_answer: bool
    differences: dict[str, float]
    numbers: int  # compared in all
    gap: float


@torch.inference_mode()
def serve(
    model: Transformer,
    token_ids: Sequence[int],
    prefixes: PrefixCache[Slab],
    *,
    new_tokens: int,
    sampler: Sampler = greedy,
) -> tuple[Served, Computed]:
    """Answer a prompt with at most `new_tokens` tokens, and keep it and its answer for later requests.

    The last token of the answer never ran through the model: it has no keys and values to keep. Raises what
    `prefill` raises, and for an answer past the model's positions `ContextLengthError`.
    """
    ours = prefill(model, token_ids, prefixes, room=new_tokens)
    answer, logits = answer_behind(model, token_ids, ours, new_tokens, sampler)
    change = keep(prefixes, (*token_ids, *answer), ours.cache)
    n, reused = len(token_ids), ours.reused
    cost = pass_cost(model.config, q_len=n - reused, start=reused), pass_cost(model.config, q_len=n)
    counts = cost[0].multiplications, cost[1].multiplications
    return Served(tuple(token_ids), reused, answer, counts, change), Computed(ours, tuple(logits))


@torch.inference_mode()
def prove(model: Transformer, served: Served, computed: Computed, *, sampler: Sampler = greedy) -> Proof:
    """Compute a request's prompt and answer without the store, and compare all that `serve` computed."""
    n, config = len(served.token_ids), model.config
    full = prefill(model, served.token_ids, room=len(served.answer_ids))
    ours = computed.prefill.cache
    pairs = {"K": (ours.k, full.cache.k), "V": (ours.v, full.cache.v)}
    differences = {name: float((a[..., :n, :] - b[..., :n, :]).abs().max()) for name, (a, b) in pairs.items()}
    plain, logits = answer_behind(model, served.token_ids, full, len(served.answer_ids), sampler)
    both = list(zip(served.answer_ids, plain, strict=False))
    same = 1 + next((i for i, (a, b) in enumerate(both) if a != b), len(both) - 1)
    differences["logits"] = max(
        float((a - b).abs().max()) for a, b in zip(computed.logits[:same], logits[:same], strict=True)
    )
    highest = [one.topk(2).values for one in logits[:same]]
    return Proof(
        plain_ids=plain,
        same_answer=served.answer_ids == plain,
        differences=differences,
        numbers=n * config.kv_floats_per_token + same * config.vocab_size,
        gap=min(float(best - second) for best, second in highest),
    )


@dataclass(frozen=True)
class Close:
    """Where two tokens were closest in an answer, and how it ended in another run of the same request.

    `token_ids` are the two, the first run's choice first; `leads` how far its logit was ahead of the other's
    in the first run and in the second. `largest` is the largest difference between both runs' logits there.
    """

    token_ids: tuple[int, int]
    leads: tuple[float, float]
    largest: float


def closest(one: Computed, other: Computed) -> Close:
    """The closest place of a greedy answer, up to where the other run chose another token."""
    found = []
    for a, b in zip(one.logits, other.logits, strict=False):
        best = int(a.argmax())
        won, rest = int(b.argmax()), a.clone()
        rest[best] = -torch.inf
        second = won if won != best else int(rest.argmax())
        leads = float(a[best] - a[second]), float(b[best] - b[second])
        found.append(Close((best, second), leads, float((a - b).abs().max())))
        if won != best:
            return found[-1]
    return min(found, key=lambda close: close.leads[0])


def seconds_to_first(model: Transformer, run: Callable[[], Prefill], clock: Clock) -> float:
    """Seconds that a prefill takes until its first token is known."""
    began = clock()
    int(run().logits.argmax())
    synchronize(model.device)
    return clock() - began


def first_token(
    model: Transformer,
    token_ids: Sequence[int],
    *,
    reused: int,
    block: int,
    runs: int,
    clock: Clock = time.perf_counter,
) -> Iterator[tuple[float, float]]:
    """Seconds to the first token with `reused` tokens in a store, in blocks of `block`, and without, in turn.

    Looking the blocks up and copying them is included; nothing else should run meanwhile.
    """
    known = token_ids[:reused]
    prefixes = prefix_cache(model.config, block_size=block, budget=cache_bytes(model.config, reused))
    if known:
        keep(prefixes, known, prefill(model, known).cache)
    for _ in range(runs):
        ours = seconds_to_first(model, lambda: prefill(model, token_ids, prefixes), clock)
        yield ours, seconds_to_first(model, lambda: prefill(model, token_ids), clock)


def answer_behind(
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
