"""The cache used wrongly, one way at a time, on the running model: what the next token and the text become.

All but the last token of the prompt are run as they should be. From then on each pass gets one token and a
cache that was tampered with, or has its query exchanged. The results are held against a naive pass over the
same tokens. What is done is done to the cache between the passes, or by a tap: the model has no case for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.cost import pass_cost
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, greedy
from kvengine.graph import GRAPH, sizes
from kvengine.keep import _blind
from kvengine.model import Tap, Transformer, _rotate

#: right        the cache as it is
#: old_query    the query of the token before the first of these passes serves for all of them
#: no_keys      the earlier keys are lost: scores with earlier tokens are struck out before the softmax
#: no_values    the earlier values are lost: zeros stand in their place
#: swapped      keys are stored in the place of the values, and values in that of the keys
#: unturned     keys are stored before the rotation that marks their position, and read like that
#: turned_late  the same, but every stored key is turned each time it is read
Misuse = Literal["right", "old_query", "no_keys", "no_values", "swapped", "unturned", "turned_late"]
MISUSES: tuple[Misuse, ...] = get_args(Misuse)


@dataclass(frozen=True)
class Word:
    """A token that a pass chose, and its probability there; what a naive pass over the same tokens would
    choose; and the largest difference between the logits of the two."""

    token_id: int
    probability: float
    naive_token: int
    naive_probability: float
    difference: float


@dataclass(frozen=True)
class Look:
    """The first of these passes, as it saw the past: every layer and head, batch axis dropped.

    `q` and `output` are [n_layers, n_heads, head_dim], `k` and `v` [n_layers, n_kv_heads, rows, head_dim],
    `weights` [n_layers, n_heads, rows]; rows = all tokens of the prompt.
    """

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    weights: np.ndarray
    output: np.ndarray

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self.q, self.k, self.v, self.weights, self.output))


@dataclass(frozen=True)
class Outcome:
    """A text that went on with a misused cache.

    `kept` is the numbers kept of each token in all layers; `multiplications` those of the last pass;
    `turned` the numbers of stored keys that had to be turned for it.
    """

    misuse: Misuse
    prompt_ids: tuple[int, ...]
    words: tuple[Word, ...]
    look: Look
    kept: int
    multiplications: int
    turned: int

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Everything written behind the prompt."""
        return tuple(word.token_id for word in self.words)

    @property
    def difference(self) -> float:
        """The largest between any of its logits and those of a naive pass over the same tokens."""
        return max(word.difference for word in self.words)


@torch.inference_mode()
def misuse(
    model: Transformer,
    prompt_ids: Sequence[int],
    how: Misuse,
    *,
    words: int,
    sampler: Sampler = greedy,
) -> Outcome:
    """Let the prompt go on to `words` new tokens with a cache that is misused in one way.

    Raises `PromptError` for fewer than two tokens, since the first pass needs a past, `ContextLengthError`
    when the text outgrows the model, `ValueError` for fewer than one word.
    """
    return misuses(model, prompt_ids, (how,), words=words, sampler=sampler)[how]


@torch.inference_mode()
def misuses(
    model: Transformer,
    prompt_ids: Sequence[int],
    hows: Sequence[Misuse],
    *,
    words: int,
    sampler: Sampler = greedy,
) -> dict[Misuse, Outcome]:
    """The same in several ways side by side: each is a line of one batch, with a cache of its own in it.

    Errors are those of `misuse`.
    """
    if words < 1:
        raise ValueError(f"{words} words cannot be written; ask for at least one")
    if len(prompt_ids) < 2:
        raise PromptError("A cache needs an earlier token and a new one; make the prompt longer.")
    config, n = model.config, len(prompt_ids) - 1
    if n + words > config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {config.max_seq_len} positions, and the text would reach "
            f"{n + words}; shorten it."
        )
    past = _Past(model, tuple(hows), n + words)
    past.prefill(prompt_ids[:n])
    texts = [list(prompt_ids) for _ in hows]
    results: list[Tensor] = []  # of each word, [lines, vocab_size]
    look: dict[str, Tensor] = {}
    for _ in range(words):
        start = past.cache.length
        past.load()
        tap = past.tap(None if results else look)
        results.append(model(_batch(model, [text[start:] for text in texts]), past.cache, tap)[:, -1])
        past.store(start)
        for text, logits in zip(texts, results[-1], strict=True):
            text.append(sampler(logits, start + 1))
    # A row of the naive pass does not see the rows behind it, so that one pass serves for all.
    naive = model(_batch(model, [text[:-1] for text in texts]))[:, n:]  # [lines, words, vocab_size]
    half = config.kv_floats_per_token // 2
    return {
        how: Outcome(
            misuse=how,
            prompt_ids=tuple(prompt_ids),
            words=tuple(
                _word(result[line], theirs, texts[line][at], sampler(theirs, at))
                for at, result, theirs in zip(range(n + 1, n + 1 + words), results, naive[line], strict=True)
            ),
            look=_look(look, config.n_layers, line),
            kept=half if how in ("no_keys", "no_values") else 2 * half,
            multiplications=pass_cost(config, q_len=1, start=n + words - 1).multiplications,
            turned=half * (n + words - 1) if how == "turned_late" else 0,
        )
        for line, how in enumerate(hows)
    }


def _word(ours: Tensor, theirs: Tensor, token_id: int, naive_token: int) -> Word:
    return Word(
        token_id=token_id,
        probability=float(ours.softmax(dim=-1)[token_id]),
        naive_token=naive_token,
        naive_probability=float(theirs.softmax(dim=-1)[naive_token]),
        difference=float((ours - theirs).abs().max()),
    )


def query_multiplications(config: Config) -> int:
    """Those of a token's queries, in all layers: all that a stored query could ever save."""
    shapes = sizes(config, q_len=1, end=1)
    return config.n_layers * GRAPH["q"].multiplications(shapes)


@dataclass
class _Past:
    """A cache with a line for each misuse, and what the last pass had beside it: its queries, and its keys
    before the rotation."""

    model: Transformer
    hows: tuple[Misuse, ...]
    rows: int
    cache: KVCache = field(init=False)
    raw: Tensor = field(init=False)  # keys before the rotation, in the shape of `cache.k`
    queries: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        device, dtype = self.model.device, self.model.dtype
        lines = len(self.hows)
        self.cache = KVCache(
            self.model.config, batch=lines, max_seq_len=self.rows, device=device, dtype=dtype
        )
        self.raw = torch.zeros_like(self.cache.k)
        self._layer_of = {f"layers.{i}.attn.k": i for i in range(self.model.config.n_layers)}

    def lines(self, *hows: Misuse) -> list[int]:
        """Where in the batch these misuses are."""
        return [line for line, how in enumerate(self.hows) if how in hows]

    def prefill(self, token_ids: Sequence[int]) -> None:
        """Run these tokens as they should be, once for all lines."""
        config, n = self.model.config, len(token_ids)
        device, dtype = self.model.device, self.model.dtype
        cache = KVCache(config, max_seq_len=n, device=device, dtype=dtype)
        self.model(_batch(self.model, [token_ids]), cache, self.remember, last_only=True)
        self.cache.k[:, :, :, :n], self.cache.v[:, :, :, :n] = cache.k, cache.v
        self.cache.advance(n)
        self.store(0)

    def remember(self, name: str, tensor: Tensor) -> Tensor:
        if name.endswith("attn.q_rot"):
            self.queries.setdefault(name, tensor[:, :, -1:])
        elif name in self._layer_of:
            start = self.cache.length
            self.raw[self._layer_of[name], :, :, start : start + tensor.shape[2]] = tensor
        return tensor

    def store(self, start: int) -> None:
        """What becomes of the rows from `start` on, which a pass has just stored."""
        k, v = self.cache.k, self.cache.v
        for line, how in enumerate(self.hows):
            new = (slice(None), line, slice(None), slice(start, self.cache.length))
            if how == "swapped":
                k[new], v[new] = v[new].clone(), k[new].clone()
            elif how in ("unturned", "turned_late"):
                k[new] = self.raw[new]
            elif how == "no_values":
                v[new] = 0
            elif how == "no_keys":
                k[new] = 0

    def load(self) -> None:
        """What is done to the stored rows before a pass reads them."""
        n = self.cache.length
        for line in self.lines("turned_late"):
            turned = _rotate(self.raw[:, line, :, :n], self.model.cos[:n], self.model.sin[:n])
            self.cache.k[:, line, :, :n] = turned

    def tap(self, look: dict[str, Tensor] | None) -> Tap | None:
        """What has to be done, or looked at, in a pass; None where that is nothing."""
        old, lost, raw = self.lines("old_query"), self.lines("no_keys"), self.lines("unturned", "turned_late")
        if look is None and not (old or lost or raw):
            return None
        blind = _blind(self.cache.length)

        def tap(name: str, tensor: Tensor) -> Tensor:
            if old and name.endswith("attn.q_rot"):
                tensor = tensor.clone()
                tensor[old] = self.queries[name]
            self.remember(name, tensor)
            if lost and name.endswith("attn.masked"):
                tensor = tensor.clone()
                tensor[lost] = blind(name, tensor[lost])
            if look is not None and name.endswith(_LOOKED_AT):
                look[name] = tensor.clone()
            return tensor

        return tap


_LOOKED_AT = ("attn.q_rot", "attn.k_all", "attn.v_all", "attn.weights", "attn.z")


def _look(tensors: dict[str, Tensor], n_layers: int, line: int) -> Look:
    q, k, v, weights, z = (
        torch.stack([tensors[f"layers.{i}.{name}"][line] for i in range(n_layers)]).numpy(force=True)
        for name in _LOOKED_AT
    )
    look = Look(q=q[:, :, 0], k=k, v=v, weights=weights[:, :, 0], output=z[:, :, 0])
    for array in (look.q, look.k, look.v, look.weights, look.output):
        array.flags.writeable = False
    return look


def _batch(model: Transformer, texts: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([list(text) for text in texts], dtype=torch.long, device=model.device)
