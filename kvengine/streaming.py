"""A text without an end in a cache of constant size, and what happens past the positions of the training."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch

from kvengine.errors import ContextLengthError
from kvengine.generate import Sampler
from kvengine.model import Transformer
from kvengine.policies import Policy
from kvengine.policy_cache import PolicyCache


@dataclass(frozen=True)
class Stretch:
    """A piece of the stream: where it ends, its tokens, its time, and the memory after it."""

    end: int
    token_ids: tuple[int, ...]
    seconds: float
    rows: int
    bytes: int
    cache: PolicyCache  # which the stream goes on with: fork it to run anything else


@torch.inference_mode()
def stream(
    model: Transformer,
    prompt_ids: Sequence[int],
    policy: Policy,
    *,
    budget: int,
    tokens: int,
    sampler: Sampler,
    piece: int = 250,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Stretch]:
    """Write `tokens` tokens with a policy that holds `budget` rows, and tell of every `piece` of them.

    Raises `ContextLengthError` where positions run past those of the model, as they do without renumbering.
    """
    cache = PolicyCache(model, policy, room=budget + 1)
    ids = list(prompt_ids)
    written = 0
    held: list[int] = []
    began = perf_counter()
    while written < tokens and not stopped():
        at = cache.tokens
        if cache.position >= model.config.max_seq_len:
            raise ContextLengthError(
                f"The model was trained on {model.config.max_seq_len} positions, and the text would reach "
                f"{cache.position + 1}; number the rows by their place in the cache."
            )
        logits = model(torch.tensor([[ids[at]]], device=model.device), cache, cache.tap)[0, -1]
        if cache.tokens < len(ids):
            continue
        ids.append(sampler(logits, len(ids)))
        held.append(ids[-1])
        written += 1
        if len(held) == piece or written == tokens:
            seconds = perf_counter() - began
            yield Stretch(cache.tokens, tuple(held), seconds, cache.length, cache.allocated_bytes, cache)
            held, began = [], perf_counter()  # what was done with the piece is no part of the next one
