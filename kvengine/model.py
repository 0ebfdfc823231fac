"""The forward pass of a Llama-architecture transformer, top to bottom.

RMSNorm, rotary positions (rotate-half), grouped-query attention, SwiGLU; and, where a model has them, what
its relatives add: biases of q, k and v (Qwen 2), norms of each head's q and k (Qwen 3), a window (Mistral).
There is one pass: prefill, decode, naive generation and every picture of the explainer run through
`Transformer.__call__`. What differs is whether a cache is passed in, and whether a tap listens.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.errors import ContextLengthError, PromptError

#: Stands on the line that computes a tensor: gets its name and value, returns the value to go on with.
#: A recording tap returns what it got. An experiment returns something else.
Tap = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer; a matrix maps its second axis to its first, as in `F.linear`."""

    attn_norm: Tensor  # [d_model]
    wqkv: Tensor  # [(n_heads + 2 * n_kv_heads) * head_dim, d_model]: wq, wk, wv, for one product
    wo: Tensor  # [d_model, n_heads * head_dim]
    ffn_norm: Tensor  # [d_model]
    w_gate: Tensor  # [d_ffn, d_model]
    w_up: Tensor  # [d_ffn, d_model]
    w_down: Tensor  # [d_model, d_ffn]
    bqkv: Tensor | None = None  # [(n_heads + 2 * n_kv_heads) * head_dim]
    q_norm: Tensor | None = None  # [head_dim], as is k_norm: one for all heads
    k_norm: Tensor | None = None


@dataclass(frozen=True)
class Weights:
    """All weights of a model. Without a `readout` of its own, `embed` is read a second time as that."""

    embed: Tensor  # [vocab_size, d_model]
    layers: tuple[LayerWeights, ...]
    norm: Tensor  # [d_model]
    readout: Tensor | None = None  # [vocab_size, d_model]


class Transformer:
    """A model that any number of threads can share: a pass changes nothing but the cache it is given."""

    def __init__(self, config: Config, weights: Weights) -> None:
        self.config = config
        self.weights = weights
        self.device, self.dtype = weights.embed.device, weights.embed.dtype
        self.readout = weights.embed if weights.readout is None else weights.readout
        self.sqrt_eps = torch.tensor(config.norm_eps**0.5, device=self.device, dtype=self.dtype)
        # An angle for each position and pair, in float32 whatever the model's precision is, as the reference
        # implementation takes them.
        angle = torch.outer(
            torch.arange(config.max_seq_len, device=self.device).float(), _frequencies(config).to(self.device)
        )
        self.cos = torch.cat([angle, angle], dim=-1).cos().to(self.dtype)  # [max_seq_len, head_dim]
        # The sign of rotate-half is kept in the table, so that turning a row is two products and a sum.
        self.sin = torch.cat([-angle.sin(), angle.sin()], dim=-1).to(self.dtype)  # [max_seq_len, head_dim]

    def __call__(
        self,
        token_ids: Int[Tensor, "batch q_len"],
        cache: KVCache | None = None,
        tap: Tap | None = None,
        *,
        last_only: bool = False,
    ) -> Float[Tensor, "batch rows vocab_size"]:
        """Run the tokens behind those in `cache`, store their keys and values there, return their logits.

        Without a cache the tokens stand at positions 0, 1, …; with one, at its `position`, which is behind
        its `length` rows unless it has dropped some. In the shapes below, end counts the rows that are there.
        `last_only` reads out the last row alone (rows = 1), all that the next token needs; otherwise
        rows = q_len. With a tap, attention is written out so that its scores exist; without one it may
        take torch's fused kernel.

        Raises `ContextLengthError` past `config.max_seq_len`, `PromptError` for no tokens at all.
        """
        cfg = self.config
        batch, q_len = token_ids.shape
        start = 0 if cache is None else cache.position  # in the text
        kept = 0 if cache is None else cache.length  # earlier rows: fewer where the cache has dropped some
        end = start + q_len
        if q_len == 0:
            raise PromptError("There is no token to run; a prompt needs at least one.")
        if end > cfg.max_seq_len:
            raise ContextLengthError(
                f"The model was trained on {cfg.max_seq_len} positions, and the text would reach {end}; "
                "shorten it."
            )
        cos, sin = self.cos[start:end], self.sin[start:end]  # [q_len, head_dim]

        x = F.embedding(token_ids, self.weights.embed)  # [batch, q_len, d_model]
        x = x if tap is None else tap("embed", x)
        for i, w in enumerate(self.weights.layers):
            at = _untapped if tap is None else _layer_tap(tap, i)

            h = at("attn_norm", _rms_norm(x, w.attn_norm, self.sqrt_eps))
            qkv = F.linear(h, w.wqkv, w.bqkv).view(batch, q_len, -1, cfg.head_dim).transpose(1, 2)
            q, k, v = qkv.split([cfg.n_heads, cfg.n_kv_heads, cfg.n_kv_heads], dim=1)
            if w.q_norm is not None and w.k_norm is not None:
                q, k = _rms_norm(q, w.q_norm, self.sqrt_eps), _rms_norm(k, w.k_norm, self.sqrt_eps)
            q = at("attn.q", q)  # [batch, n_heads, q_len, head_dim]
            k = at("attn.k", k)  # [batch, n_kv_heads, q_len, head_dim]
            v = at("attn.v", v)  # [batch, n_kv_heads, q_len, head_dim]
            q = at("attn.q_rot", _rotate(q, cos, sin))
            k = at("attn.k_rot", _rotate(k, cos, sin))
            k_all, v_all = (k, v) if cache is None else cache.update(i, k, v)
            k_all = at("attn.k_all", k_all)  # [batch, n_kv_heads, end, head_dim]
            v_all = at("attn.v_all", v_all)  # [batch, n_kv_heads, end, head_dim]
            if tap is None:
                z = _fused_attention(q, k_all, v_all, kept, cfg.window)
            else:
                # A KV head's keys serve group_size neighbouring query heads.
                keys = k_all.repeat_interleave(cfg.group_size, dim=1)  # [batch, n_heads, end, head_dim]
                values = v_all.repeat_interleave(cfg.group_size, dim=1)  # [batch, n_heads, end, head_dim]
                scores = q @ keys.mT / math.sqrt(cfg.head_dim)
                scores = at("attn.scores", scores)  # [batch, n_heads, q_len, end]
                hidden_keys = _hidden(kept, kept + q_len, cfg.window, self.device)  # [q_len, end]
                masked = at("attn.masked", scores.masked_fill(hidden_keys, -math.inf))
                weights = at("attn.weights", masked.softmax(dim=-1))  # [batch, n_heads, q_len, end]
                z = weights @ values
            z = at("attn.z", z)  # [batch, n_heads, q_len, head_dim]
            out = at("attn.out", F.linear(z.transpose(1, 2).flatten(2), w.wo))  # [batch, q_len, d_model]
            x = at("resid_mid", x + out)

            h = at("ffn_norm", _rms_norm(x, w.ffn_norm, self.sqrt_eps))
            gate = at("ffn.gate", F.linear(h, w.w_gate))  # [batch, q_len, d_ffn]
            up = at("ffn.up", F.linear(h, w.w_up))  # [batch, q_len, d_ffn]
            hidden = at("ffn.hidden", F.silu(gate) * up)  # [batch, q_len, d_ffn]
            ffn_out = at("ffn.out", F.linear(hidden, w.w_down))  # [batch, q_len, d_model]
            x = at("resid_post", x + ffn_out)
        if cache is not None:
            cache.advance(q_len)

        if last_only:
            x = x[:, -1:]
        x = _rms_norm(x, self.weights.norm, self.sqrt_eps)
        x = x if tap is None else tap("norm", x)  # [batch, rows, d_model]
        logits = F.linear(x, self.readout)  # [batch, rows, vocab_size]
        return logits if tap is None else tap("logits", logits)


def _untapped(name: str, tensor: Tensor) -> Tensor:
    return tensor


def _layer_tap(tap: Tap, layer: int) -> Tap:
    return lambda name, tensor: tap(f"layers.{layer}.{name}", tensor)


def _rms_norm(x: Tensor, weight: Tensor, sqrt_eps: Tensor) -> Tensor:
    """x / √(mean of x² + eps) · weight; the root is the hypotenuse of ‖x‖ / √d_model and √eps.

    `F.rms_norm` gives the same but for rounding, and is somewhat slower on a CPU for rows as short as these.
    """
    rms = torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True) * x.shape[-1] ** -0.5, sqrt_eps)
    return x / rms * weight


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + head_dim / 2) of a row by an angle of its own: position × the pair's frequency.

    RoFormer, arXiv 2104.09864.
    """
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cos, swapped, sin)  # `sin` carries the minus of the first half


def _frequencies(config: Config) -> Float[Tensor, " pairs"]:
    """The angle by which each pair of a row is turned per position: theta^(−2i / head_dim). [head_dim / 2]

    With `rope_stretch`, as Llama 3.1 has it, pairs that turn slowly turn more slowly still, by `factor`, and
    those that turn fast stay; in between one goes over into the other. Meta's llama-models, `apply_scaling`.
    """
    pair = torch.arange(0, config.head_dim, 2).float() / config.head_dim
    frequency = config.rope_theta**-pair
    if config.rope_stretch is None:
        return frequency
    stretch = config.rope_stretch
    turns = stretch.original_positions * frequency / (2 * math.pi)  # within the length that it was trained on
    kept = ((turns - stretch.low_turns) / (stretch.high_turns - stretch.low_turns)).clamp(0, 1)
    return frequency * (kept + (1 - kept) / stretch.factor)


def _hidden(start: int, end: int, window: int | None, device: torch.device) -> Tensor:
    """True where a query, at a position from `start`, must not look. [q_len, end]

    That is at every later key, and with a window at those that lie `window` positions back or more.
    """
    position = torch.arange(end, device=device)
    query = position[start:, None]
    later = query < position
    return later if window is None else later | (query - position >= window)


def _fused_attention(q: Tensor, k_all: Tensor, v_all: Tensor, start: int, window: int | None) -> Tensor:
    """The same attention in one kernel, scores never written down. Shapes as in the pass."""
    q_len, end = q.shape[2], k_all.shape[2]
    if window is not None and end <= window:
        window = None  # it hides nothing yet
    if q_len == 1 and window is None:
        # One query sees the whole history: no mask, and its group can stand as rows of one head.
        rows = q.view(q.shape[0], k_all.shape[1], -1, q.shape[3])  # [batch, n_kv_heads, group_size, head_dim]
        return F.scaled_dot_product_attention(rows, k_all, v_all).view(q.shape)
    grouped_query = q.shape[1] != k_all.shape[1]
    if start == 0 and window is None:
        return F.scaled_dot_product_attention(q, k_all, v_all, is_causal=True, enable_gqa=grouped_query)
    visible = ~_hidden(start, end, window, q.device)
    return F.scaled_dot_product_attention(q, k_all, v_all, attn_mask=visible, enable_gqa=grouped_query)
