"""What a naive step computes again, found by comparing two passes cell by cell; and what breaks the finding.

The step before runs the first t tokens, the naive step all t + 1. A cell of the second pass that comes out as
it did in the first was avoidable work. Experiments are taps, or other tokens: the model has no case for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.compare import Compared, State, compare
from kvengine.cost import pass_cost
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, generate, greedy
from kvengine.model import Tap, Transformer
from kvengine.trace import Trace

#: The operations of a layer in their order: key -> the tensor that it gives, as a trace names it.
OPERATIONS = {
    "norm": "attn_norm",
    "q": "attn.q_rot",
    "k": "attn.k_rot",
    "v": "attn.v",
    "scores": "attn.masked",
    "weights": "attn.weights",
    "z": "attn.z",
    "out": "attn.out",
    "mid": "resid_mid",
    "ffn_norm": "ffn_norm",
    "hidden": "ffn.hidden",
    "ffn": "ffn.out",
    "post": "resid_post",
}

#: Tensors that hold an operation's rows in another form: who drops the one drops them all.
_FORMS = {
    "q": ("attn.q", "attn.q_rot"),
    "k": ("attn.k", "attn.k_rot", "attn.k_all"),
    "v": ("attn.v", "attn.v_all"),
    "scores": ("attn.scores", "attn.masked"),
    "hidden": ("ffn.gate", "ffn.up", "ffn.hidden"),
}


@dataclass(frozen=True)
class Premise:
    """What the comparison rests on: a causal mask, and unchanged earlier tokens."""

    causal: bool = True
    changed: int | None = None  # the position whose token is another one in the second pass

    @property
    def holds(self) -> bool:
        return self.causal and self.changed is None


@dataclass(frozen=True)
class Way:
    """One way to get the next token, as it was run: what it kept from the step before, and what it computed.

    `difference` is the largest one between its logits and the naive pass's.
    """

    floats: int
    bytes: int
    multiplications: int
    next_token: int
    probability: float
    difference: float


@dataclass(frozen=True)
class Recomputation:
    """The naive step over `token_ids`, held against the step before it, which had one token less."""

    token_ids: tuple[int, ...]  # as the second pass ran them
    original_ids: tuple[int, ...]
    premise: Premise
    tensors: dict[str, Compared]  # by their names in a trace
    gates: dict[str, np.ndarray]  # what the MLP's product was made of, second pass
    final: np.ndarray  # [1, d_model], what the readout takes: the last row, normed
    logits: np.ndarray  # [vocab_size], of the last row
    naive: Way
    stored: Way
    cached: Way
    read: frozenset[str]  # operations whose earlier rows the last row reads

    @property
    def t(self) -> int:
        """Tokens of the step before."""
        return len(self.token_ids) - 1

    @property
    def compared(self) -> int:
        return sum(tensor.compared for tensor in self.tensors.values())

    @property
    def equal(self) -> int:
        return sum(tensor.count(State.EQUAL) for tensor in self.tensors.values())

    @property
    def largest(self) -> tuple[str, Compared]:
        """The tensor with the largest difference of all."""
        return max(self.tensors.items(), key=lambda item: item[1].largest)


def name_of(operation: str, layer: int) -> str:
    """The tensor's name in a trace; `x` is what the layer takes in."""
    if operation == "x":
        return "embed" if layer == 0 else f"layers.{layer - 1}.resid_post"
    return f"layers.{layer}.{OPERATIONS[operation]}"


def text_of_length(
    model: Transformer, token_ids: Sequence[int], n: int, *, sampler: Sampler = greedy
) -> tuple[int, ...]:
    """The tokens cut, or continued by the model, to `n` of them.

    Raises `PromptError` for no tokens at all, `ContextLengthError` for more than the model's positions.
    """
    if not token_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    if n > model.config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {model.config.max_seq_len} positions, and {n} are asked for; "
            "choose fewer."
        )
    missing = max(0, n - len(token_ids))
    steps = generate(model, token_ids, max_new_tokens=missing, use_cache=True, sampler=sampler)
    return (*token_ids[:n], *(step.token_id for step in steps))


@torch.inference_mode()
def recompute(
    model: Transformer,
    token_ids: Sequence[int],
    premise: Premise | None = None,
    *,
    sampler: Sampler = greedy,
    ways: bool = True,
) -> Recomputation:
    """Compare the naive step over `token_ids` with the step before it, and get the next token three ways.

    Without `ways` the naive pass stands for all three, and nothing is said of what is read.
    Raises `PromptError` for fewer than two tokens, or when the changed token is none of the earlier ones
    (the very first has nothing before it that would suggest another one).
    """
    premise = premise or Premise()
    t = len(token_ids) - 1
    if t < 1:
        raise PromptError("Two steps are compared, so at least two tokens are needed; make the text longer.")
    edited = list(token_ids)
    if premise.changed is not None:
        if not 1 <= premise.changed < t:
            raise PromptError(f"Token {premise.changed} cannot be changed; choose one from 1 to {t - 1}.")
        edited[premise.changed] = suggestion(model, token_ids, premise.changed)
    before = _record(model, token_ids[:t], premise)
    after = _record(model, edited, premise)
    tensors = _compare(before, after)
    logits = after["logits"][0, -1]

    def way(result: np.ndarray, kept: int, kept_bytes: int, q_len: int) -> Way:
        row = torch.from_numpy(result)
        choice = sampler(row, t + 1)
        return Way(
            floats=kept,
            bytes=kept_bytes,
            multiplications=pass_cost(model.config, q_len=q_len, start=t + 1 - q_len).multiplications,
            next_token=choice,
            probability=float(row.softmax(dim=-1)[choice]),
            difference=float(np.abs(result - logits).max()),
        )

    naive = stored = cached = way(logits, 0, 0, t + 1)
    read: frozenset[str] = frozenset()
    if ways:
        everything = sum(tensor.compared for tensor in tensors.values())
        from_storage = _replay(model, edited, premise, before)
        stored = way(from_storage, everything, everything * before["embed"].itemsize, 1)
        cache = KVCache(model.config, max_seq_len=t + 1, device=model.device, dtype=model.dtype)
        model(_batch(model, token_ids[:t]), cache, _tap(premise), last_only=True)
        kept = cache.k[:, :, :, :t].numel() + cache.v[:, :, :, :t].numel()
        kept_bytes = cache.used_bytes
        result = model(_batch(model, edited[t:]), cache)[0, -1].numpy(force=True)
        cached = way(result, kept, kept_bytes, 1)
        read = frozenset(
            operation
            for operation in ("x", *OPERATIONS)
            if not np.array_equal(_replay(model, edited, premise, before, without=operation), from_storage)
        )
    return Recomputation(
        token_ids=tuple(edited),
        original_ids=tuple(token_ids),
        premise=premise,
        tensors=tensors,
        gates={name: after[name][0] for name in after if name.endswith(("ffn.gate", "ffn.up"))},
        final=after["norm"][0],
        logits=logits,
        naive=naive,
        stored=stored,
        cached=cached,
        read=read,
    )


@torch.inference_mode()
def suggestion(model: Transformer, token_ids: Sequence[int], position: int) -> int:
    """The token that the model would rather have at `position` than any but the one that stands there."""
    logits = model(_batch(model, token_ids[:position]), last_only=True)[0, -1].clone()
    logits[token_ids[position]] = -torch.inf
    return int(logits.argmax())


def avoided_shares(r: Recomputation) -> dict[str, float]:
    """The share of cells that came out as before, by operation over all layers, and of all cells as `all`.

    Masked cells are left out. `x` is the embedding alone: what later layers take in is an earlier result.
    """
    cells = dict.fromkeys(("x", *OPERATIONS, "all"), (0, 0))
    for name, tensor in r.tensors.items():
        operation = next((key for key, suffix in OPERATIONS.items() if name.endswith("." + suffix)), "x")
        for key in (operation, "all"):
            equal, total = cells[key]
            fresh = tensor.state.size - tensor.count(State.MASKED)
            cells[key] = equal + tensor.count(State.EQUAL), total + fresh
    return {key: equal / total for key, (equal, total) in cells.items()}


# ---- taps ------------------------------------------------------------------------------------------------


def unmasked() -> Tap:
    """Takes the causal mask off: hands on the scores as they were before it."""
    scores: list[Tensor] = []

    def tap(name: str, tensor: Tensor) -> Tensor:
        if name.endswith("attn.scores"):
            scores[:] = [tensor]
        return scores[0] if name.endswith("attn.masked") else tensor

    return tap


def from_storage(stored: Trace, without: str | None = None) -> Tap:
    """Puts the stored rows of an earlier pass in the place of those just computed.

    The rows of the operation `without` are lost instead: not a number takes their place, and whatever reads
    one of them becomes not a number itself.
    """
    lost = _FORMS.get(without or "", (OPERATIONS.get(without or "", ""),))

    def tap(name: str, tensor: Tensor) -> Tensor:
        if name in ("norm", "logits"):  # of the last row alone
            return tensor
        rows = torch.from_numpy(stored[name]).to(tensor)
        is_lost = name.endswith(("embed", "resid_post")) if without == "x" else name.endswith(tuple(lost))
        mixed = tensor.clone()
        mixed[tuple(slice(n) for n in rows.shape)] = torch.nan if without and is_lost else rows
        return mixed

    return tap


def _tap(premise: Premise) -> Tap:
    return (lambda name, tensor: tensor) if premise.causal else unmasked()


# ---- passes ----------------------------------------------------------------------------------------------


def _batch(model: Transformer, token_ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(token_ids)], device=model.device)


def _record(model: Transformer, token_ids: Sequence[int], premise: Premise) -> Trace:
    """The trace of a naive pass under the premise; it reads out its last row alone, as generation does."""
    recorded: dict[str, np.ndarray] = {}
    experiment = _tap(premise)

    def record(name: str, tensor: Tensor) -> Tensor:
        tensor = experiment(name, tensor)
        recorded[name] = tensor.numpy(force=True).copy()
        return tensor

    model(_batch(model, token_ids), None, record, last_only=True)
    return Trace(recorded, 0)


def _replay(
    model: Transformer, token_ids: Sequence[int], premise: Premise, stored: Trace, without: str | None = None
) -> np.ndarray:
    """The last row's logits when every earlier row of every operation comes from storage. [vocab_size]"""
    experiment, storage = _tap(premise), from_storage(stored, without)
    logits = model(
        _batch(model, token_ids),
        None,
        lambda name, tensor: storage(name, experiment(name, tensor)),
        last_only=True,
    )
    return logits[0, -1].numpy(force=True)


def _compare(before: Trace, after: Trace) -> dict[str, Compared]:
    compared = {}
    for name in after:
        if name == "embed" or name.endswith(tuple(OPERATIONS.values())):
            masked = name.replace("attn.weights", "attn.masked")
            compared[name] = compare(before[name][0], after[name][0], masked=np.isneginf(after[masked][0]))
    return compared
