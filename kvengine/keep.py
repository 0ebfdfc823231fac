"""What has to be kept of the earlier tokens? A text goes on with what somebody chose to keep, and no more.

The prompt is run once, whole. From then on each pass gets one new token and what was kept of those before
it; it does not get those tokens themselves. Of a layer's results a pass reads K and V of the earlier rows:

- K is kept: it is read. K is not kept, but x is: K is computed again, the norm, the product with W_K and the
  rotation, by the lines of the model, from the x that was kept of this layer. The same holds for V.
- Neither: the earlier keys are lost. There is nothing to score against, so every score with an earlier row is
  struck out before the softmax, and the new token's attention sees only itself.
- V is lost alone: scores and weights are computed with the earlier keys as ever, but where the earlier values
  should be there is nothing, zeros: the weight that goes there is lost from the sum.

Everything else that can be kept (queries, scores, weights, …) no later pass reads, as `experiments.recompute`
finds by destroying it. So it changes what is stored, and no number.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.cost import pass_cost
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, greedy
from kvengine.graph import GRAPH, name_of, sizes
from kvengine.model import Tap, Transformer, _rms_norm, _rotate

#: The results of a layer that can be kept, by their names in `graph`.
BOXES = ("x", "q", "k", "v", "scores", "weights", "z", "ffn")

#: Those that make a difference to what comes next.
READABLE = frozenset({"x", "k", "v"})

#: How a pass came by the earlier rows of K, and of V.
Source = Literal["read", "again", "lost"]


@dataclass(frozen=True)
class Gone:
    """One token that the text went on with. `difference` is the largest between its logits and those of a
    naive pass over the whole text so far; `naive_token` is what that pass would choose."""

    token_id: int
    naive_token: int
    difference: float


@dataclass(frozen=True)
class Outcome:
    """A text that went on with what was kept.

    `again` is the multiplications spent on K and V of earlier rows, in all; `other` those of the passes with
    nothing lost. `error` is the largest difference between a K or V computed again and what it was at first.
    """

    kept: frozenset[str]
    keys: Source
    values: Source
    prompt_ids: tuple[int, ...]
    first: int  # the token that the prompt's own pass chose
    tokens: tuple[Gone, ...]
    again: int
    other: int
    error: float

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Everything written behind the prompt."""
        return (self.first, *(gone.token_id for gone in self.tokens))

    @property
    def difference(self) -> float:
        """The largest between any of its logits and those of a naive pass over the same tokens."""
        return max((gone.difference for gone in self.tokens), default=0.0)


def sources(kept: Collection[str]) -> tuple[Source, Source]:
    """How the earlier rows of K and V are had from what was kept."""
    otherwise: Source = "again" if "x" in kept else "lost"
    return "read" if "k" in kept else otherwise, "read" if "v" in kept else otherwise


def kept_floats(config: Config, rows: int) -> dict[str, int]:
    """The size of each box: numbers that it takes to keep it of the first `rows` tokens, in all layers.

    Of scores and weights those with later tokens are masked, and not kept.
    """
    shapes = sizes(config, q_len=rows, end=rows)
    floats = {}
    for box in BOXES:
        size = 1
        for length in GRAPH[box].shape(shapes):
            size *= length
        if box in ("scores", "weights"):
            size = config.n_heads * rows * (rows + 1) // 2
        floats[box] = config.n_layers * size
    return floats


@torch.inference_mode()
def go_on(
    model: Transformer,
    prompt_ids: Sequence[int],
    kept: Collection[str],
    *,
    words: int,
    sampler: Sampler = greedy,
) -> Outcome:
    """Run the prompt, then let the text go on to `words` new tokens with what is `kept` of the earlier ones.

    Raises `ValueError` for a box that is none, `PromptError` for no tokens at all, `ContextLengthError` when
    the text outgrows the model.
    """
    if unknown := set(kept) - set(BOXES):
        raise ValueError(f"no such boxes: {sorted(unknown)}")
    if not prompt_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    config = model.config
    if len(prompt_ids) + words > config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {config.max_seq_len} positions, and the text would reach "
            f"{len(prompt_ids) + words}; shorten it."
        )
    keys, values = sources(kept)
    store = _Store(model, len(prompt_ids) + words)
    token_ids = list(prompt_ids)
    logits = model(_batch(model, token_ids), store.cache, store.record(0), last_only=True)[0, -1]
    token_ids.append(first := sampler(logits, len(token_ids)))
    again = other = 0
    error = 0.0
    gone: list[Gone] = []
    for _ in range(words - 1):
        n = store.cache.length
        cache, missed = store.rebuilt(keys, values)
        error = max(error, missed)
        again += _again(config, n, (keys, values))
        other += pass_cost(config, q_len=1, start=n).multiplications
        tap = _blind(n) if keys == "lost" else None
        logits = model(_batch(model, token_ids[n:]), cache, store.record(n, tap))[0, -1]
        store.take(cache)
        naive = model(_batch(model, token_ids), last_only=True)[0, -1]
        token_ids.append(sampler(logits, len(token_ids)))
        gone.append(
            Gone(
                token_ids[-1],
                sampler(naive, len(token_ids) - 1),
                float((logits - naive).abs().max()),
            )
        )
    return Outcome(
        kept=frozenset(kept),
        keys=keys,
        values=values,
        prompt_ids=tuple(prompt_ids),
        first=first,
        tokens=tuple(gone),
        again=again,
        other=other,
        error=error,
    )


class _Store:
    """Every K, V and x computed so far; what a pass is given of them, `rebuilt` decides."""

    def __init__(self, model: Transformer, rows: int) -> None:
        config = model.config
        self.model = model
        self.cache = KVCache(config, max_seq_len=rows, device=model.device, dtype=model.dtype)
        self.x = torch.zeros(config.n_layers, rows, config.d_model, device=model.device, dtype=model.dtype)
        self._layer_of = {name_of("x", layer): layer for layer in range(config.n_layers)}

    def record(self, start: int, tap: Tap | None = None) -> Tap:
        """A tap that keeps each layer's x, and does what another one does."""

        def record(name: str, tensor: Tensor) -> Tensor:
            layer = self._layer_of.get(name)
            if layer is not None:
                self.x[layer, start : start + tensor.shape[1]] = tensor[0]
            return tensor if tap is None else tap(name, tensor)

        return record

    def rebuilt(self, keys: Source, values: Source) -> tuple[KVCache, float]:
        """A cache with the earlier rows as far as they can be had, and how far those made again are off."""
        config, n = self.model.config, self.cache.length
        made = KVCache(
            config, max_seq_len=self.cache.max_seq_len, device=self.model.device, dtype=self.model.dtype
        )
        error = 0.0
        for layer in range(config.n_layers):
            was = self.cache.k[layer, :, :, :n], self.cache.v[layer, :, :, :n]
            new = _project(self.model, layer, self.x[layer, :n]) if "again" in (keys, values) else was
            rows = []
            for source, old, again in zip((keys, values), was, new, strict=True):
                if source == "again":
                    error = max(error, float((old - again).abs().max()))
                rows.append({"read": old, "again": again, "lost": torch.zeros_like(old)}[source])
            made.update(layer, *rows)
        made.advance(n)
        return made, error

    def take(self, cache: KVCache) -> None:
        """Keep the row that the pass has just added."""
        n = self.cache.length
        for layer in range(self.model.config.n_layers):
            self.cache.update(layer, cache.k[layer, :, :, n : n + 1], cache.v[layer, :, :, n : n + 1])
        self.cache.advance(1)


def _project(model: Transformer, layer: int, x: Tensor) -> tuple[Tensor, Tensor]:
    """K (rotated) and V of a layer from its x, [rows, d_model], as the pass computes them."""
    config, w = model.config, model.weights.layers[layer]
    n, q_width = x.shape[0], config.n_heads * config.head_dim
    h = _rms_norm(x, w.attn_norm, model.sqrt_eps)
    bias = None if w.bqkv is None else w.bqkv[q_width:]
    kv = F.linear(h, w.wqkv[q_width:], bias).view(1, n, -1, config.head_dim).transpose(1, 2)
    k, v = kv.split([config.n_kv_heads, config.n_kv_heads], dim=1)  # each [1, n_kv_heads, rows, head_dim]
    if w.k_norm is not None:
        k = _rms_norm(k, w.k_norm, model.sqrt_eps)
    return _rotate(k, model.cos[:n], model.sin[:n]), v


def _blind(n: int) -> Tap:
    """Strikes out every score with one of the `n` earlier rows."""

    def tap(name: str, tensor: Tensor) -> Tensor:
        if not name.endswith("attn.masked"):
            return tensor
        hidden = tensor.clone()
        hidden[..., :n] = -torch.inf
        return hidden

    return tap


def _again(config: Config, n: int, how: tuple[Source, Source]) -> int:
    """Multiplications to compute K and V of `n` rows again, as far as they are."""
    shapes = sizes(config, q_len=n, end=n)
    return config.n_layers * sum(
        GRAPH[key].multiplications(shapes) for key, source in zip("kv", how, strict=True) if source == "again"
    )


def _batch(model: Transformer, token_ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(token_ids)], dtype=torch.long, device=model.device)
