"""Generation one token at a time, each step recorded, and each proved against a pass without the cache.

The pass without the cache can come later: in a large model it takes longer than the step itself.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, generate, greedy
from kvengine.model import Tap, Transformer
from kvengine.proof import COMPARED, Decoded, Proof, prove

#: What a step keeps of its pass, one row a layer and head: field of `WalkStep` -> name in a trace.
_KEPT = {"q": "attn.q_rot", "scores": "attn.scores", "weights": "attn.weights", "output": "attn.z"}

#: The most probable next tokens that a step names.
_TOP = 5


@dataclass(frozen=True)
class WalkStep:
    """One decode step: the token run at `position`, its attention in every layer, its proof, what comes next.

    The arrays are [n_layers, n_heads, …]: `q` (rotated) and `output` end in head_dim, `scores` and `weights`
    in position + 1. They are read-only. `changed` counts the stored numbers of the earlier rows that the
    append has changed, out of `earlier`. `proof` is None until the pass without the cache has come.
    """

    position: int
    token_id: int
    q: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    output: np.ndarray
    earlier: int
    changed: int
    proof: Proof | None
    top: tuple[tuple[int, float], ...]  # the likeliest next tokens with the model's probability of each
    next_token: int

    @property
    def nbytes(self) -> int:
        return self.q.nbytes + self.scores.nbytes + self.weights.nbytes + self.output.nbytes


@dataclass(frozen=True)
class Recording:
    """A walk as far as it is recorded: a snapshot that later steps do not change.

    `first` is the position of the first step. `k` (rotated) and `v` are [n_layers, n_kv_heads, rows,
    head_dim], `attn_norm` is [n_layers, rows, d_model], what q, k and v are projected from. `token_ids` has
    one token more than there are rows: the one that the last step chose. `chances` has the model's
    probability of each token that it has written, by position.
    """

    model: Transformer
    first: int
    token_ids: tuple[int, ...]
    chances: Mapping[int, float]
    steps: tuple[WalkStep, ...]
    k: np.ndarray
    v: np.ndarray
    attn_norm: np.ndarray

    @property
    def rows(self) -> int:
        """Tokens that have been run: those of the prefill, and one a step."""
        return self.first + len(self.steps)

    def step(self, position: int) -> WalkStep:
        """The step that ran the token at `position`; raises `IndexError` where none is recorded."""
        if not self.first <= position < self.rows:
            raise IndexError(f"no step is recorded at {position}, only {self.first} to {self.rows - 1}")
        return self.steps[position - self.first]

    def until(self, rows: int) -> "Recording":
        """The same, with at most so many rows: without the steps behind them."""
        return replace(
            self,
            token_ids=self.token_ids[: rows + 1],
            steps=self.steps[: max(0, rows - self.first)],
            k=self.k[:, :, :rows],
            v=self.v[:, :, :rows],
            attn_norm=self.attn_norm[:, :rows],
        )


def written(
    model: Transformer, token_ids: Sequence[int], length: int, sampler: Sampler = greedy
) -> Iterator[tuple[int, float]]:
    """What the model writes behind these tokens until there are `length`, each with its probability."""
    missing = length - len(token_ids)
    if missing > 0:
        for step in generate(model, token_ids, max_new_tokens=missing, use_cache=True, sampler=sampler):
            yield step.token_id, float(step.logits.softmax(dim=-1)[step.token_id])


class Walk:
    """A text run through the cache: a prefill of its first `history` tokens, then one recorded step a token.

    The text is cut or continued by the model until a token stands behind the history; generation goes on
    from there, as far as `record` is asked, the model has positions, and `most_steps` allows. `chances`
    belong to tokens that were written before, by position. Without `prove_now` a step has no proof until
    `prove` is called, which need not be in the thread that records. Any number of threads can share a walk:
    what they read are snapshots.

    Raises `ContextLengthError` unless 1 <= history < max_seq_len, `PromptError` for no tokens at all.
    """

    def __init__(
        self,
        model: Transformer,
        token_ids: Sequence[int],
        *,
        history: int,
        sampler: Sampler = greedy,
        most_steps: int | None = None,
        chances: Mapping[int, float] = MappingProxyType({}),
        prove_now: bool = True,
    ) -> None:
        if not token_ids:
            raise PromptError("There is no token to run; a prompt needs at least one.")
        last = model.config.max_seq_len - 1
        if not 1 <= history <= last:
            raise ContextLengthError(
                f"{history} tokens of history leave no room for the next one: choose 1 to {last}, "
                f"since the model was trained on {model.config.max_seq_len} positions."
            )
        self.model = model
        self.first = history
        self.most_steps = min(last + 1 - history, most_steps or last)
        self._sampler = sampler
        self._prove_now = prove_now
        self._lock = threading.Lock()
        self._token_ids = list(token_ids[: history + 1])
        self._chances = {at: chance for at, chance in chances.items() if at <= history}
        self._steps: list[WalkStep] = []
        self._steps_nbytes = 0
        self._unproved: list[Decoded] = []
        # What readers see: swapped as a whole, and so read without the lock, which a pass holds for long.
        self._seen: tuple[tuple[int, ...], Mapping[int, float], tuple[WalkStep, ...]]
        for token_id, chance in written(model, token_ids, history + 1, sampler):
            self._chances[len(self._token_ids)] = chance
            self._token_ids.append(token_id)
        layers = range(model.config.n_layers)
        names = (*_KEPT.values(), *COMPARED.values())
        self._recorded = {"logits", *(f"layers.{i}.{name}" for i in layers for name in names)}
        self._norms = {f"layers.{i}.attn_norm": i for i in layers}
        rows = history + self.most_steps
        self._cache = KVCache(model.config, max_seq_len=rows, device=model.device, dtype=model.dtype)
        self._attn_norm = np.zeros((model.config.n_layers, rows, model.config.d_model), dtype=np.float32)
        with torch.inference_mode():
            model(
                self._batch(self._token_ids[:history]), self._cache, self._keep_attn_norm(0), last_only=True
            )
        self._show()

    @property
    def nbytes(self) -> int:
        """Memory that the walk holds now; it grows with every step."""
        unproved = sum(step.nbytes for step in tuple(self._unproved))
        return self._cache.allocated_bytes + self._attn_norm.nbytes + self._steps_nbytes + unproved

    def extend(self, n_steps: int) -> int:
        """Record steps until there are `n_steps`, or no more can be; how many there are then.

        What one call records is proved by one pass: several steps at once cost less than one by one. Who
        asks for no more than there are does not wait for another thread that records.
        """
        wanted = min(n_steps, self.most_steps)
        if wanted > len(self._seen[-1]):
            with self._lock:
                for _ in range(wanted - len(self._steps)):
                    self._run()
                if self._prove_now and self._unproved:
                    decoded = self._unproved
                    self._settle(decoded, prove(self.model, self._token_ids, decoded, self._sampler))
                self._show()
        return len(self._seen[-1])

    @property
    def proved(self) -> bool:
        """Have all recorded steps been held against the pass without the cache?"""
        return not self._unproved

    @property
    def proofs(self) -> dict[int, Proof]:
        """What is proved so far, by position."""
        return {step.position: step.proof for step in self._seen[-1] if step.proof}

    def prove(self) -> None:
        """Prove all steps recorded so far that are not yet, by one pass. Others can record meanwhile."""
        with self._lock:
            decoded, token_ids = self._unproved.copy(), self._token_ids.copy()
        if decoded:
            proofs = prove(self.model, token_ids, decoded, self._sampler)
            with self._lock:
                self._settle(decoded, proofs)
                self._show()

    def _settle(self, decoded: Sequence[Decoded], proofs: Sequence[Proof]) -> None:
        for step, proof in zip(decoded, proofs, strict=True):
            at = step.position - self.first
            self._steps[at] = replace(self._steps[at], proof=proof)
        done = {step.position for step in decoded}
        self._unproved = [step for step in self._unproved if step.position not in done]

    def _show(self) -> None:
        self._seen = tuple(self._token_ids), MappingProxyType(self._chances.copy()), tuple(self._steps)

    def record(self, n_steps: int) -> Recording:
        """The walk as it stands after `extend(n_steps)`.

        Nothing that was given out before changes: rows are only ever added behind those recorded.
        """
        self.extend(n_steps)
        seen = self._seen
        rows = self.first + len(seen[-1])
        k, v = (part[:, 0, :, :rows].numpy(force=True) for part in (self._cache.k, self._cache.v))
        return Recording(self.model, self.first, *seen, *map(_read_only, (k, v, self._attn_norm[:, :rows])))

    @torch.inference_mode()
    def _run(self) -> None:
        """Run the next token through the cache, and record the step."""
        step = self._decode()
        probabilities = step.tensors["logits"][0, -1].softmax(dim=-1)
        likeliest = probabilities.topk(min(_TOP, len(probabilities)))
        self._chances[step.position + 1] = float(probabilities[step.next_token])
        self._steps.append(
            WalkStep(
                position=step.position,
                token_id=self._token_ids[step.position],
                **{field: self._kept(step.tensors, name) for field, name in _KEPT.items()},
                earlier=step.earlier,
                changed=step.changed,
                proof=None,
                top=tuple(zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)),
                next_token=step.next_token,
            )
        )
        self._steps_nbytes += self._steps[-1].nbytes
        self._unproved.append(step)

    def _decode(self) -> Decoded:
        """Run the next token through the cache."""
        position = self._cache.length
        earlier = self._cache.k[:, :, :, :position], self._cache.v[:, :, :, :position]
        before = tuple(part.clone() for part in earlier)
        tensors: dict[str, Tensor] = {}
        keep_attn_norm = self._keep_attn_norm(position)

        def record(name: str, tensor: Tensor) -> Tensor:
            if name in self._recorded:
                tensors[name] = tensor
            return keep_attn_norm(name, tensor)

        logits = self.model(self._batch(self._token_ids[position:]), self._cache, record)[0, -1]
        next_token = self._sampler(logits, position + 1)
        self._token_ids.append(next_token)
        return Decoded(
            position=position,
            tensors=tensors,
            earlier=sum(part.numel() for part in before),
            changed=sum(int((was != now).sum()) for was, now in zip(before, earlier, strict=True)),
            next_token=next_token,
        )

    def _kept(self, tensors: Mapping[str, Tensor], name: str) -> np.ndarray:
        """What a step's pass computed under one name, in every layer: [n_layers, n_heads, …]."""
        layers = [tensors[f"layers.{i}.{name}"][0, :, 0] for i in range(self.model.config.n_layers)]
        return _read_only(torch.stack(layers).numpy(force=True))

    def _keep_attn_norm(self, start: int) -> Tap:
        """A tap that copies what each layer's q, k and v are projected from, and returns what it got."""

        def keep(name: str, tensor: Tensor) -> Tensor:
            layer = self._norms.get(name)
            if layer is not None:
                self._attn_norm[layer, start : start + tensor.shape[1]] = tensor[0].numpy(force=True)
            return tensor

        return keep

    def _batch(self, token_ids: Sequence[int]) -> Tensor:
        return torch.tensor([list(token_ids)], device=self.model.device)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
