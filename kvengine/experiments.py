"""What a naive step computes again, found by comparing two passes cell by cell; and what breaks the finding.

The step before runs the first t tokens, the naive step all t + 1. A cell of the second pass that comes out as
it did in the first was avoidable work. Experiments are taps, or other tokens: the model has no case for them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.compare import Compared, State, compare
from kvengine.cost import pass_cost
from kvengine.errors import PromptError
from kvengine.generate import Sampler, greedy, probabilities, text_of_length
from kvengine.graph import OPERATIONS, forms, name_of
from kvengine.model import Tap, Transformer
from kvengine.trace import Trace

__all__ = [
    "OPERATIONS",
    "Premise",
    "Recomputation",
    "Way",
    "avoided_shares",
    "name_of",
    "recompute",
    "suggestion",
    "text_of_length",
]


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
    """One way to get the next token, as it was run: what it kept of the step before, and what it computed."""

    floats: int  # kept of the step before
    bytes: int
    multiplications: int  # of its one pass
    next_token: int
    probability: float  # of that token in its own logits, at the temperature of the `Recomputation`
    difference: float  # the largest between its logits and those of the naive pass


@dataclass(frozen=True)
class Recomputation:
    """The naive step over `token_ids`, held against the step before it, which had one token less.

    `naive` keeps nothing and runs all rows. `stored` keeps every compared cell of the step before, also those
    that come out differently: `stored.floats` is `compared`, of which `equal` are blue. `cached` keeps K and
    V. Both run the last row alone, and read what it needs of the others from what they kept.
    """

    token_ids: tuple[int, ...]  # as the second pass ran them
    original_ids: tuple[int, ...]
    premise: Premise
    tensors: dict[str, Compared]  # by their names in a trace
    gates: dict[str, np.ndarray]  # what the MLP's product was made of, second pass
    final: np.ndarray  # [1, d_model], what the readout takes: the last row, normed
    logits: np.ndarray  # [vocab_size], of the last row
    temperature: float  # of the ways' probabilities: what they drew at; 0 is greedy, at the model's own
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
        """Cells that both passes have: everything of the step before, but for what the mask hides."""
        return sum(tensor.compared for tensor in self.tensors.values())

    @property
    def equal(self) -> int:
        """Those of them that came out as before: the blue ones."""
        return sum(tensor.count(State.EQUAL) for tensor in self.tensors.values())

    @property
    def largest(self) -> tuple[str, Compared]:
        """The tensor with the largest difference of all."""
        return max(self.tensors.items(), key=lambda item: item[1].largest)


@torch.inference_mode()
def recompute(
    model: Transformer,
    token_ids: Sequence[int],
    premise: Premise | None = None,
    *,
    sampler: Sampler = greedy,
    temperature: float = 0.0,
    operations: Collection[str] = OPERATIONS,
    ways: bool = True,
) -> Recomputation:
    """Compare the naive step over `token_ids` with the step before it, and get the next token three ways.

    Of the operations' results these are compared, and the embedding. `temperature` is the sampler's, for the
    probability at which each way drew its token; at 0 it is the model's own. Without `ways` the naive pass
    stands for all three, and nothing is said of what is read. Raises `PromptError` for fewer than two tokens,
    or when the changed one is none of the earlier ones (nothing before the very first suggests another).
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
    tensors = _compare(before, after, model.config.n_layers, operations)
    logits = after["logits"][0, -1]

    def way(result: np.ndarray, floats: int, q_len: int) -> Way:
        row = torch.from_numpy(result)
        choice = sampler(row, t + 1)
        return Way(
            floats=floats,
            bytes=floats * result.itemsize,
            multiplications=pass_cost(model.config, q_len=q_len, start=t + 1 - q_len).multiplications,
            next_token=choice,
            probability=float(probabilities(row, temperature)[choice]),
            difference=float(np.abs(result - logits).max()),
        )

    naive = stored = cached = way(logits, 0, t + 1)
    read: frozenset[str] = frozenset()
    if ways:
        everything = sum(tensor.compared for tensor in tensors.values())
        stored = way(_last_row(model, edited[t], _cache_of(model, before)), everything, 1)
        cache = KVCache(model.config, max_seq_len=t + 1, device=model.device, dtype=model.dtype)
        model(_batch(model, token_ids[:t]), cache, None if premise.causal else unmasked(), last_only=True)
        cached = way(_last_row(model, edited[t], cache), t * model.config.kv_floats_per_token, 1)
        read = _read(model, edited, premise, before)
    return Recomputation(
        token_ids=tuple(edited),
        original_ids=tuple(token_ids),
        premise=premise,
        tensors=tensors,
        gates={name: after[name][0] for name in after if name.endswith(("ffn.gate", "ffn.up"))},
        final=after["norm"][0],
        logits=logits,
        temperature=temperature,
        naive=naive,
        stored=stored,
        cached=cached,
        read=read,
    )


@torch.inference_mode()
def suggestion(model: Transformer, token_ids: Sequence[int], position: int) -> int:
    """The model's best other token for `position`: the most probable of all but the one that stands there."""
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


def from_storage(stored: Trace, without: Sequence[str]) -> Tap:
    """Puts the stored rows of an earlier pass in the place of those just computed.

    In each line of the batch the rows of another operation, that of `without`, are lost instead ("" is none):
    not a number takes their place, and whatever reads one of them becomes not a number itself.
    """
    lost = [("embed", *forms("post")) if key == "x" else forms(key) for key in without]

    def tap(name: str, tensor: Tensor) -> Tensor:
        if name in ("norm", "logits"):  # of the last row alone
            return tensor
        rows = torch.from_numpy(stored[name]).to(tensor)[0]
        old = tuple(slice(n) for n in rows.shape)
        mixed = tensor.clone()
        for line, names in zip(mixed, lost, strict=True):
            line[old] = torch.nan if name.endswith(names) else rows
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


def _cache_of(model: Transformer, stored: Trace) -> KVCache:
    """A cache filled with the K and V rows of a recorded pass, with room for one more."""
    t = stored["embed"].shape[1]
    cache = KVCache(model.config, max_seq_len=t + 1, device=model.device, dtype=model.dtype)
    for layer in range(model.config.n_layers):
        k, v = (torch.from_numpy(stored[name_of(key, layer)]).to(model.device) for key in ("k", "v"))
        cache.update(layer, k, v)
    cache.advance(t)
    return cache


def _last_row(model: Transformer, token_id: int, cache: KVCache) -> np.ndarray:
    """The logits of one token run behind what is cached. [vocab_size]"""
    return model(_batch(model, [token_id]), cache)[0, -1].numpy(force=True)


def _read(model: Transformer, token_ids: Sequence[int], premise: Premise, stored: Trace) -> frozenset[str]:
    """The operations whose stored rows the last row reads: those without which its logits change.

    An experiment, not a way to generate: each operation has a line of a batch, in which the whole text is run
    with the stored rows in the place of those computed again, and then once more with its own lost.
    """
    experiment = _tap(premise)

    def replay(without: Sequence[str]) -> np.ndarray:
        storage, batch = from_storage(stored, without), _batch(model, token_ids).expand(len(without), -1)
        logits = model(batch, None, lambda name, x: storage(name, experiment(name, x)), last_only=True)
        return logits[:, -1].numpy(force=True)

    keys = ("x", *OPERATIONS)
    lines = max(1, 512 // len(token_ids))  # of one batch: their scores take memory
    read: set[str] = set()
    for some in (keys[i : i + lines] for i in range(0, len(keys), lines)):
        # Held against the same line of the batch, whose sums are added up in the same order.
        changed = (replay(some) != replay([""] * len(some))).any(axis=-1)
        read.update(np.array(some)[changed].tolist())
    return frozenset(read)


def _compare(before: Trace, after: Trace, n_layers: int, operations: Collection[str]) -> dict[str, Compared]:
    compared = {}
    for name in ("embed", *(name_of(key, layer) for layer in range(n_layers) for key in operations)):
        masked = name.replace("attn.weights", "attn.masked")
        compared[name] = compare(before[name][0], after[name][0], masked=np.isneginf(after[masked][0]))
    return compared
