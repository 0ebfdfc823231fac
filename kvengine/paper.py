"""A model small enough for pencil and paper: one layer, one head, four numbers a row, weights set by hand.

It is the pass of `model.py`, with a configuration and weights under which all that is not fit for paper does
nothing, exactly:

- RMSNorm divides by √(mean of x² + eps). With eps = 2²⁰⁰ that is 2¹⁰⁰ for every x, and the norm's weights are
  2¹⁰⁰, so that each row comes out as it went in: powers of two lose no digit.
- The angles of the rotary positions are all zero.
- `wo` is the identity, and the MLP's matrices are zero.

Left are the embeddings, q, k and v, the scores over √4, softmax, the weighted values, the residual and the
tied readout. Everything is computed in float64.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.errors import PromptError
from kvengine.model import LayerWeights, Tap, Transformer, Weights

D = 4  # d_model, and head_dim of the one head

#: The root of eps, and each weight of a norm: 2 to this power.
SCALE = 100

#: Logits closer than this are equal but for rounding: of them the first token is written.
_TIE = 1e-9

_LAYER = "layers.0.attn."


@dataclass(frozen=True)
class Numbers:
    """What is given: the embeddings, a row for each word, and three matrices that a row is multiplied with.

    On paper a row stands before its matrix, q = x·W, so `wq[i][j]` is what entry i of x contributes to
    entry j of q. The scores are multiplied with `unit`, by way of W_Q: with ln 2 softmax takes powers of two.
    """

    embed: tuple[tuple[float, ...], ...]  # [words, 4]
    wq: tuple[tuple[float, ...], ...]  # [4, 4]
    wk: tuple[tuple[float, ...], ...]
    wv: tuple[tuple[float, ...], ...]
    unit: float = math.log(2)


@dataclass(frozen=True)
class Mistake:
    """What is done wrong: the first round's query asks in the second, or scores are divided by the length."""

    old_query: bool = False
    by_length: bool = False


@dataclass(frozen=True)
class Round:
    """One pass, seen from its last row: what a pencil has to find. n counts the tokens so far.

    `divisor` is what the products were divided by to give the `scores`; `asked` is the query they were made
    with, which is `q` unless a mistake was made.
    """

    token_ids: tuple[int, ...]  # n
    start: int  # tokens whose keys and values were read, not computed
    x: np.ndarray  # [n - start, 4]
    q: np.ndarray  # [4]
    asked: np.ndarray  # [4]
    k: np.ndarray  # [n, 4]
    v: np.ndarray  # [n, 4]
    divisor: float
    scores: np.ndarray  # [n]
    weights: np.ndarray  # [n]
    z: np.ndarray  # [4]
    out: np.ndarray  # [4], z and the residual
    logits: np.ndarray  # [words]

    @property
    def products(self) -> np.ndarray:
        """The scores before they were divided. [n]"""
        return self.scores * self.divisor

    @property
    def tied(self) -> tuple[int, ...]:
        """The words with the highest logit: one, or several that tie."""
        return tuple(int(i) for i in np.flatnonzero(self.logits >= self.logits.max() - _TIE))

    @property
    def next_token(self) -> int:
        """The word that is written: the first of those with the highest logit."""
        return self.tied[0]


def model_of(numbers: Numbers) -> Transformer:
    """The model that has these numbers as its weights.

    Raises `ValueError` where a matrix has another shape.
    """
    embed, *matrices = (
        torch.tensor(rows, dtype=torch.float64)
        for rows in (numbers.embed, numbers.wq, numbers.wk, numbers.wv)
    )
    if embed.shape[1:] != (D,) or any(matrix.shape != (D, D) for matrix in matrices):
        raise ValueError(f"embeddings need rows of {D} numbers, and each matrix {D} of them")
    wq, wk, wv = matrices
    norm = torch.full((D,), 2.0**SCALE, dtype=torch.float64)
    nothing = torch.zeros(1, D, dtype=torch.float64)
    layer = LayerWeights(
        attn_norm=norm,
        wqkv=torch.cat([(wq * numbers.unit).T, wk.T, wv.T]),
        wo=torch.eye(D, dtype=torch.float64),
        ffn_norm=norm,
        w_gate=nothing,
        w_up=nothing,
        w_down=nothing.T,
    )
    config = Config(
        vocab_size=len(embed),
        d_model=D,
        n_layers=1,
        n_heads=1,
        n_kv_heads=1,
        head_dim=D,
        d_ffn=1,
        max_seq_len=16,
        norm_eps=2.0 ** (2 * SCALE),
    )
    model = Transformer(config, Weights(embed, (layer,), norm))
    model.cos.fill_(1)
    model.sin.fill_(0)
    return model


@torch.inference_mode()
def two_rounds(
    model: Transformer, prompt: Sequence[int], mistake: Mistake | None = None
) -> tuple[Round, Round]:
    """The prompt and then, on its cache, the word that the model writes after it.

    Raises `PromptError` without a prompt.
    """
    mistake = mistake or Mistake()
    if not prompt:
        raise PromptError("There is no word to begin with; a prompt needs at least one.")
    cache = KVCache(model.config, max_seq_len=len(prompt) + 1, dtype=torch.float64)
    first = _round(model, tuple(prompt), cache, by_length=mistake.by_length)
    old = first.q if mistake.old_query else None
    second = _round(model, (*prompt, first.next_token), cache, by_length=mistake.by_length, query=old)
    return first, second


@torch.inference_mode()
def without_cache(model: Transformer, token_ids: Sequence[int]) -> Round:
    """The same round again, every word of it computed."""
    return _round(model, tuple(token_ids), None)


def difference(a: Round, b: Round) -> tuple[float, int]:
    """The largest difference between two rounds over the same words, and how many numbers were compared."""
    pairs = [
        (getattr(a, part), getattr(b, part)) for part in ("k", "v", "q", "scores", "weights", "z", "logits")
    ]
    return max(float(np.abs(x - y).max()) for x, y in pairs), sum(x.size for x, _ in pairs)


def _round(
    model: Transformer,
    token_ids: tuple[int, ...],
    cache: KVCache | None,
    *,
    by_length: bool = False,
    query: np.ndarray | None = None,
) -> Round:
    n, start = len(token_ids), 0 if cache is None else cache.length
    root = math.sqrt(model.config.head_dim)
    seen: dict[str, np.ndarray] = {}
    wrong: dict[str, Callable[[Tensor], Tensor]] = {}
    if query is not None:
        old = torch.from_numpy(query)
        wrong[_LAYER + "q_rot"] = lambda q: old.expand_as(q)
    if by_length:
        wrong[_LAYER + "scores"] = lambda scores: scores * root / n
    tap = _tap(wrong, seen)
    model(torch.tensor([token_ids[start:]]), cache, tap, last_only=True)
    return Round(
        token_ids=token_ids,
        start=start,
        x=seen["embed"][0],
        q=seen[_LAYER + "q"][0, 0, -1],
        asked=seen[_LAYER + "q_rot"][0, 0, -1],
        k=seen[_LAYER + "k_all"][0, 0],
        v=seen[_LAYER + "v_all"][0, 0],
        divisor=float(n) if by_length else root,
        scores=seen[_LAYER + "scores"][0, 0, -1],
        weights=seen[_LAYER + "weights"][0, 0, -1],
        z=seen[_LAYER + "z"][0, 0, -1],
        out=seen["layers.0.resid_post"][0, -1],
        logits=seen["logits"][0, -1],
    )


def _tap(wrong: Mapping[str, Callable[[Tensor], Tensor]], seen: dict[str, np.ndarray]) -> Tap:
    """Do what is wrong where it is wrong, and record every tensor in `seen` as the pass goes on with it."""

    def tap(name: str, tensor: Tensor) -> Tensor:
        if name in wrong:
            tensor = wrong[name](tensor)
        seen[name] = tensor.numpy(force=True).copy()
        return tensor

    return tap
