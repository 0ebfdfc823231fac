"""A name that the model has never seen, spelled piece by piece: by which head, and from which stored row.

In a text that holds the name once, an induction head looks from a piece of the name to what came after that
piece the first time (Olsson et al. 2022, arXiv 2209.11895). The heads are scored by that behaviour alone: by
the weight on the token after the last occurrence of the present one. Then the stored row of that token is
struck out, in every head, and the same pass is run again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.errors import ContextLengthError, PromptError
from kvengine.model import Tap, Transformer


@dataclass(frozen=True)
class Spelled:
    """The pass over the token at `position`, of which `token_id` should come next.

    `target` is the position after the last occurrence of the same token: there stands what came next the
    last time. `weights` is [n_layers, n_heads, position + 1]; `q` and `output` are [n_layers, n_heads,
    head_dim]. `probability` is that of `token_id`, and `without` the same with the target's row struck out;
    `best` and `best_without` are the likeliest tokens of the two passes.
    """

    position: int
    target: int
    token_id: int
    q: np.ndarray
    weights: np.ndarray
    output: np.ndarray
    probability: float
    without: float
    best: int
    best_without: int

    @property
    def scores(self) -> np.ndarray:
        """Each head's weight on the target. [n_layers, n_heads]"""
        found: np.ndarray = self.weights[:, :, self.target]
        return found


@dataclass(frozen=True)
class Induction:
    """A name spelled behind a text that holds it: `k` (rotated) and `v` are [n_layers, n_kv_heads, tokens,
    head_dim], of all `token_ids` but the last, which nothing is run for."""

    token_ids: tuple[int, ...]
    pieces: tuple[Spelled, ...]
    k: np.ndarray
    v: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Each head's weight on the token after the last occurrence, mean over the pieces."""
        found: np.ndarray = np.mean([piece.scores for piece in self.pieces], axis=0)
        return found

    @property
    def head(self) -> tuple[int, int]:
        """The layer and head with the highest score."""
        layer, head = np.unravel_index(int(self.scores.argmax()), self.scores.shape)
        return int(layer), int(head)

    @property
    def nbytes(self) -> int:
        return self.k.nbytes + self.v.nbytes + sum(p.weights.nbytes + p.q.nbytes * 2 for p in self.pieces)


@torch.inference_mode()
def spell(model: Transformer, text_ids: Sequence[int], name_ids: Sequence[int]) -> Induction:
    """Run the text, then the name, and of each of its pieces but the last ask for the next one.

    Raises `PromptError` where the text does not hold each piece but the last, or the name has fewer than two
    pieces; `ContextLengthError` where text and name outgrow the model.
    """
    config = model.config
    if len(name_ids) < 2:
        raise PromptError("This name is a single token, so there is nothing to spell; choose a longer one.")
    token_ids = [*text_ids, *name_ids]
    if len(token_ids) > config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {config.max_seq_len} positions, and text and name take "
            f"{len(token_ids)}; shorten them."
        )
    cache = KVCache(config, max_seq_len=len(token_ids), device=model.device, dtype=model.dtype)
    model(_batch(model, text_ids), cache, last_only=True)
    pieces = []
    for position in range(len(text_ids), len(token_ids) - 1):
        target = _after_last(token_ids, position)
        now, seen = _batch(model, token_ids[position : position + 1]), cache.length
        struck = model(now, cache, _struck(target), last_only=True)[0, -1].softmax(dim=-1)
        cache.crop(seen)
        passed: dict[str, Tensor] = {}

        def record(name: str, tensor: Tensor, passed: dict[str, Tensor] = passed) -> Tensor:
            passed[name] = tensor
            return tensor

        chances = model(now, cache, record, last_only=True)[0, -1].softmax(dim=-1)
        q, weights, output = (
            torch.stack([passed[f"layers.{i}.attn.{name}"][0, :, 0] for i in range(config.n_layers)]).numpy(
                force=True
            )
            for name in ("q_rot", "weights", "z")
        )
        wanted = token_ids[position + 1]
        pieces.append(
            Spelled(
                position=position,
                target=target,
                token_id=wanted,
                q=q,
                weights=weights,
                output=output,
                probability=float(chances[wanted]),
                without=float(struck[wanted]),
                best=int(chances.argmax()),
                best_without=int(struck.argmax()),
            )
        )
    n = cache.length
    k, v = (part[:, 0, :, :n].numpy(force=True).copy() for part in (cache.k, cache.v))
    return Induction(tuple(token_ids), tuple(pieces), k, v)


def _after_last(token_ids: Sequence[int], position: int) -> int:
    """The position after the last earlier occurrence of the token that stands here."""
    found = next((i for i in range(position - 2, -1, -1) if token_ids[i] == token_ids[position]), None)
    if found is None:
        raise PromptError("The text does not hold the pieces of this name; choose another name.")
    return found + 1


def _struck(row: int) -> Tap:
    """Strikes a stored row out in every layer and head: no score, no weight, no value."""

    def tap(name: str, tensor: Tensor) -> Tensor:
        if not name.endswith("attn.masked"):
            return tensor
        hidden = tensor.clone()
        hidden[..., row] = -torch.inf
        return hidden

    return tap


def _batch(model: Transformer, token_ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(token_ids)], dtype=torch.long, device=model.device)
