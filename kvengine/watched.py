"""A text that goes on with a full cache and with a thinned one, each on its own words, step by step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, greedy
from kvengine.model import Transformer, _rotate
from kvengine.policies import Policy, PromptVote
from kvengine.policy_cache import PolicyCache


@dataclass(frozen=True)
class Watched:
    """A text under one policy; of the cache one layer and KV head, seen by one of its query heads.

    The text has `tokens`, the first `prompt` of them given. `kept` is [tokens, tokens]: after the pass of the
    token at i, is the row of the token at j still there? `weights` are those that the query at i gave the
    rows it read, and `missed` those it would have given to all rows so far had none been dropped, likewise.
    `chosen` and `probability` tell of each pass the likeliest next token, [tokens]. `keys` are its rows as
    they were stored, [tokens, head_dim]; `bits` what its cache took after each pass, all layers and heads.
    """

    token_ids: tuple[int, ...]
    prompt: int
    kept: np.ndarray
    weights: np.ndarray
    missed: np.ndarray
    chosen: tuple[int, ...]
    probability: np.ndarray
    top: tuple[tuple[tuple[int, float], ...], ...]  # after each pass, the likeliest tokens
    keys: np.ndarray
    bits: np.ndarray

    @property
    def nbytes(self) -> int:
        arrays = (self.kept, self.weights, self.missed, self.probability, self.keys, self.bits)
        return sum(array.nbytes for array in arrays) + 64 * len(self.token_ids)


@torch.inference_mode()
def watch(
    model: Transformer,
    prompt_ids: Sequence[int],
    policy: Policy,
    *,
    new: int,
    layer: int,
    head: int,
    sampler: Sampler = greedy,
    progress: Callable[[int, int], None] = lambda done, wanted: None,
) -> Watched:
    """Run the prompt token by token, in one pass where the policy decides at its end; go on by `new`.

    `progress` hears after every pass how many tokens are done of how many.
    Raises `PromptError` for no tokens at all, `ContextLengthError` when the text outgrows the model.
    """
    if not prompt_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    n, config = len(prompt_ids), model.config
    total = n + new
    if total > config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {config.max_seq_len} positions, and the text would reach {total}; "
            "shorten it."
        )
    cache = PolicyCache(model, policy, room=total)
    look = _Look(model, cache, layer, head, total)
    token_ids = list(prompt_ids)
    chosen: list[int] = []
    probability: list[float] = []
    top: list[tuple[tuple[int, float], ...]] = []
    bits: list[float] = []
    first = n if isinstance(policy, PromptVote) else 1
    at = 0
    while at < total:
        size = first if at == 0 else 1
        ids = torch.tensor([token_ids[at : at + size]], device=model.device)
        rows = model(ids, cache, look.listen)[0]
        look.note(at, size)
        for i, logits in enumerate(rows):
            chances = logits.float().softmax(dim=-1)
            best = chances.topk(5)
            chosen.append(sampler(logits, at + i + 1))
            probability.append(float(chances[chosen[-1]]))
            top.append(tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True)))
            bits.append(cache.used_bits())
        at += size
        if n <= at < total:
            token_ids.append(chosen[-1])
        progress(at, total)
    return Watched(
        token_ids=tuple(token_ids),
        prompt=n,
        kept=look.kept,
        weights=look.weights,
        missed=look.missed,
        chosen=tuple(chosen),
        probability=np.array(probability, dtype=np.float32),
        top=tuple(top),
        keys=look.keys,
        bits=np.array(bits, dtype=np.float32),
    )


class _Look:
    """A tap that notes one layer and head of a thinned cache, and keeps a copy of every key for `missed`."""

    def __init__(self, model: Transformer, cache: PolicyCache, layer: int, head: int, total: int) -> None:
        self.model, self.cache = model, cache
        self.layer, self.head = layer, head
        self.kv_head = head // model.config.group_size
        self.kept = np.zeros((total, total), dtype=np.uint8)
        self.weights = np.zeros((total, total), dtype=np.float32)
        self.missed = np.zeros((total, total), dtype=np.float32)
        self.keys = np.zeros((total, model.config.head_dim), dtype=np.float32)
        # The keys, not turned to any position.
        self._copies = torch.zeros(total, model.config.head_dim, device=model.device, dtype=model.dtype)
        self._held: dict[str, Tensor] = {}

    def listen(self, name: str, tensor: Tensor) -> Tensor:
        if self.cache.tap is not None:
            self.cache.listen(name, tensor)
        prefix = f"layers.{self.layer}.attn."
        if name.startswith(prefix):
            self._held[name.removeprefix(prefix)] = tensor
        elif name == "embed":
            self._before = self.cache.origin[self.layer, 0, self.kv_head, : self.cache.length].tolist()
        return tensor

    def note(self, at: int, size: int) -> None:
        """After a pass of `size` tokens from position `at` on."""
        held, cos, sin = self._held, self.model.cos, self.model.sin
        new = slice(at, at + size)
        self._copies[new] = held["k"][0, self.kv_head]
        self.keys[new] = held["k_rot"][0, self.kv_head].numpy(force=True)
        read = [*self._before, *range(at, at + size)]
        self.weights[new, read] = held["weights"][0, self.head].numpy(force=True)
        # What the same queries would have given to all keys, each turned to its true place.
        end = at + size
        q = _rotate(held["q"][0, self.head], cos[new], sin[new])
        k = _rotate(self._copies[:end], cos[:end], sin[:end])
        scores = q @ k.mT / self.model.config.head_dim**0.5
        position = torch.arange(end, device=scores.device)
        later = position[None] > position[at:, None]
        self.missed[new, :end] = scores.masked_fill(later, -torch.inf).softmax(dim=-1).numpy(force=True)
        for i in range(size - 1):  # inside a pass nothing is dropped
            self.kept[at + i, : at + i + 1] = 1
        rows = self.cache.origin[self.layer, 0, self.kv_head, : self.cache.length].numpy(force=True)
        self.kept[end - 1, rows] = 1
