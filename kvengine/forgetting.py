"""What a cache policy does to the loss: the same text for all, one token at a time.

`losses` measures nats per token, teacher-forced: whatever a policy would have written, the true token comes
next. `masked_losses` has the same of policies that are a mask, in one pass over the whole text, and
`first_row` tells what the first row is to a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kvengine.model import Transformer
from kvengine.policies import Evicting, Policy, PromptVote, Window
from kvengine.policies import Sinks as SinksPolicy
from kvengine.policy_cache import PolicyCache


@dataclass(frozen=True)
class Losses:
    """Nats per token of one policy. `nats` is [texts, tokens − 1], of each token after the first; `rows` the
    rows that the cache held, per layer and KV head, when that token was predicted; `bits` those rows take."""

    policy: Policy
    nats: np.ndarray
    rows: np.ndarray  # [tokens − 1]
    bits: np.ndarray  # [tokens − 1], of one text, all layers

    @property
    def first_eviction(self) -> int:
        """How many tokens were predicted before the first row went; all of them where none did."""
        full = np.arange(1, len(self.rows) + 1)
        gone = np.flatnonzero(self.rows < full)
        return int(gone[0]) if len(gone) else len(self.rows)

    def mean(self, start: int = 0, end: int | None = None) -> float:
        """Over the predictions from `start` to `end`; nan where there are none."""
        part = self.nats[:, start:end]
        return float(part.mean()) if part.size else float("nan")


@torch.inference_mode()
def losses(
    model: Transformer,
    token_ids: Tensor,
    policy: Policy,
    *,
    prompt: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Losses:
    """Run texts [texts, tokens] of one length, the first ones in one pass, the others one by one.

    Those are `prompt` for a policy that decides at the end of one, and for all others as many as it makes no
    difference for; the cache never holds more than its budget and the new row. A run that was stopped has
    fewer tokens.
    """
    texts, tokens = token_ids.shape
    first = prompt if isinstance(policy, PromptVote) else together(policy, tokens - 1)
    cache = PolicyCache(model, policy, room=_room(policy, tokens), batch=texts)
    nats: list[Tensor] = []
    rows: list[int] = []
    bits: list[float] = []
    at = 0
    while at < tokens - 1 and not (at and stopped()):
        n = first if at == 0 else 1
        fresh = token_ids[:, at : at + n]
        logits = model(fresh, cache, cache.tap).float()
        at += n
        nats.append(_nats(logits, token_ids[:, at - n + 1 : at + 1]))
        rows += [*range(1, n), cache.length]
        bits += [cache.used_bits() / texts] * n
    return Losses(policy, torch.cat(nats, dim=1).numpy(force=True), np.array(rows), np.array(bits))


def together(policy: Policy, tokens: int) -> int:
    """How many of so many tokens a text can begin with in one pass, with the results of single steps.

    Nothing happens to a row before a budget is used up. A policy that rounds does so after every step, so
    that the next token reads rounded rows; one that decides when the prompt is over takes it in one pass.
    """
    if isinstance(policy, Evicting) and policy.budget is not None and not isinstance(policy, PromptVote):
        return min(tokens, policy.budget)
    return tokens if type(policy) is Policy or isinstance(policy, Evicting) else 1


def _room(policy: Policy, tokens: int) -> int:
    """Rows that a cache has to have room for: one more than the budget, unless the policy lets it grow."""
    if isinstance(policy, Evicting) and policy.budget and not isinstance(policy, PromptVote):
        return min(tokens, policy.budget + 1)
    return tokens


def _nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Minus the logarithm of the probability of each true next token. [texts, tokens]"""
    return F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def mask_of(policy: Policy, tokens: int) -> Tensor:
    """Which rows a query must not read, [tokens, tokens], for policies that drop by position alone.

    The query at i reads itself and the `budget` rows that were kept after the step before. Raises
    `ValueError` for a policy that looks at more than positions.
    """
    if isinstance(policy, Evicting) and policy.budget is None:
        policy = Policy()
    query, key = torch.arange(tokens)[:, None], torch.arange(tokens)[None]
    if type(policy) is Policy:
        return key > query
    if policy.renumbers or not isinstance(policy, Window) or policy.budget is None:
        raise ValueError(f"“{policy.title}” is no mask")
    first = policy.sinks if isinstance(policy, SinksPolicy) else 0
    return (key > query) | ((key < query - (policy.budget - first)) & (key >= first))


@torch.inference_mode()
def masked_losses(
    model: Transformer, token_ids: Sequence[int], policy: Policy, *, silent: bool = False
) -> np.ndarray:
    """Nats of each token after the first, from one pass with the policy as a mask: [tokens − 1].

    `silent`: the first token's value row counts as zeros in every layer; its key still takes its weight.
    """
    hidden = mask_of(policy, len(token_ids)).to(model.device)

    def tap(name: str, tensor: Tensor) -> Tensor:
        if name.endswith("attn.masked"):
            return tensor.masked_fill(hidden, -torch.inf)
        if silent and name.endswith("attn.v_all"):
            return torch.cat([torch.zeros_like(tensor[:, :, :1]), tensor[:, :, 1:]], dim=2)
        return tensor

    ids = torch.tensor([list(token_ids)], device=model.device)
    nats: np.ndarray = _nats(model(ids, None, tap).float()[:, :-1], ids[:, 1:])[0].numpy(force=True)
    return nats


@dataclass(frozen=True)
class FirstRow:
    """What the first row is to a model, in the mean over layers, heads and later queries of a text."""

    weight: float  # that it gets
    length: float  # of its value row, in lengths of the other ones
    taken: float  # its weight times its value, as a share of the lengths of all that is mixed


@torch.inference_mode()
def first_row(model: Transformer, token_ids: Sequence[int]) -> FirstRow:
    """Look at the first row in one pass over the text."""
    found: dict[str, list[Tensor]] = {"weights": [], "v": []}

    def tap(name: str, tensor: Tensor) -> Tensor:
        kind = name.rsplit(".", 1)[-1]
        if name.endswith(("attn.weights", "attn.v")):
            found[kind].append(tensor[0])
        return tensor

    ids = torch.tensor([list(token_ids)], device=model.device)
    model(ids, None, tap, last_only=True)
    weights = torch.stack(found["weights"])[:, :, 1:]  # [n_layers, n_heads, queries, rows]
    v = torch.stack(found["v"]).float()  # [n_layers, n_kv_heads, rows, head_dim]
    lengths = torch.linalg.vector_norm(v, dim=-1)
    group = weights.shape[1] // lengths.shape[1]
    shares = weights * lengths.repeat_interleave(group, dim=1)[:, :, None]
    return FirstRow(
        float(weights[..., 0].mean()),
        float((lengths[..., 0] / lengths[..., 1:].mean(dim=-1)).mean()),
        float((shares[..., 0] / shares.sum(dim=-1)).mean()),
    )
