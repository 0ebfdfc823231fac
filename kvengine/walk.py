"""Generation one token at a time, each step recorded, and each proved against a pass without the cache."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, generate, greedy
from kvengine.model import Transformer
from kvengine.trace import Trace, trace

#: The largest difference that float32 rounding explains in these models; what exceeds it is an error.
TOLERANCE = 1e-3

#: What the two passes are compared in: name for the reader -> the tensor's name in a trace.
COMPARED = {
    "K": "attn.k_all",
    "V": "attn.v_all",
    "scores": "attn.scores",
    "output": "attn.z",
    "logits": "logits",
}


@dataclass(frozen=True)
class Proof:
    """What the comparison of one cached step with the naive pass over the same tokens found.

    `differences` is the largest absolute difference in each quantity, over all layers and heads; `numbers`
    is how many were compared. `changed` counts the entries of the earlier rows, K and V of all layers, that
    the append changed in any bit, out of `earlier`.
    """

    differences: dict[str, float]
    numbers: int
    naive_token: int
    cached_token: int
    earlier: int
    changed: int

    @property
    def same_token(self) -> bool:
        return self.naive_token == self.cached_token

    @property
    def equal(self) -> bool:
        """Equal but for rounding: nothing differs by more than TOLERANCE, and no earlier row has changed."""
        return max(self.differences.values()) <= TOLERANCE and self.changed == 0


@dataclass(frozen=True)
class WalkStep:
    """One decode step: the token run at `position`, the trace of its pass, its proof, what comes next."""

    position: int
    token_id: int
    trace: Trace
    proof: Proof
    probabilities: np.ndarray  # [vocab_size], of the token after this one
    next_token: int


class Walk:
    """A text run through the cache: a prefill of its first `history` tokens, then one recorded step a token.

    The text is cut or continued by the model until a token stands behind the history; generation goes on
    from there, as far as `extend` is asked and the model has positions. Safe to share between threads.

    Raises `ContextLengthError` unless 1 <= history < max_seq_len, `PromptError` for no tokens at all.
    """

    def __init__(
        self, model: Transformer, token_ids: Sequence[int], *, history: int, sampler: Sampler = greedy
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
        self.history = history
        self.token_ids = list(token_ids[: history + 1])
        #: The probability of each token that the model has written, by its position.
        self.chances: dict[int, float] = {}
        self.steps: list[WalkStep] = []
        if len(self.token_ids) <= history:
            missing = history + 1 - len(self.token_ids)
            continued = generate(
                model, self.token_ids, max_new_tokens=missing, use_cache=True, sampler=sampler
            )
            for step in continued:
                self.token_ids.append(step.token_id)
                self.chances[step.position] = float(step.logits.softmax(dim=-1)[step.token_id])
        self._sampler = sampler
        self._lock = threading.Lock()
        self._cache = KVCache(model.config, device=model.device, dtype=model.dtype)
        positions = (model.config.n_layers, model.config.max_seq_len, model.config.d_model)
        #: What q, k and v are projected from, one row a token: [n_layers, max_seq_len, d_model].
        self.attn_norm = np.zeros(positions, dtype=np.float32)
        prefill = trace(
            model, self._batch(self.token_ids[:history]), self._cache, keep=lambda name: "attn_norm" in name
        )
        self._keep_attn_norm(prefill)

    @property
    def last_position(self) -> int:
        """The position of the last token that can be run: the model has no later one."""
        return self.model.config.max_seq_len - 1

    @property
    def k(self) -> np.ndarray:
        """All cached keys, rotated: [n_layers, n_kv_heads, positions, head_dim]."""
        return self._cache.k[:, 0, :, : self._cache.length].numpy(force=True)

    @property
    def v(self) -> np.ndarray:
        """All cached values: [n_layers, n_kv_heads, positions, head_dim]."""
        return self._cache.v[:, 0, :, : self._cache.length].numpy(force=True)

    def extend(self, n_steps: int) -> None:
        """Record steps until there are `n_steps` of them, or the model's positions are used up."""
        with self._lock:
            while len(self.steps) < n_steps and self.history + len(self.steps) <= self.last_position:
                self.steps.append(self._step())

    def _step(self) -> WalkStep:
        position = self._cache.length
        token_id = self.token_ids[position]
        before = self._cache.k[:, :, :, :position].clone(), self._cache.v[:, :, :, :position].clone()
        recorded = trace(self.model, self._batch([token_id]), self._cache)
        self._keep_attn_norm(recorded)
        logits = torch.from_numpy(recorded["logits"][0, -1])
        next_token = self._sampler(logits, position + 1)
        probabilities = logits.softmax(dim=-1)
        self.token_ids.append(next_token)
        self.chances[position + 1] = float(probabilities[next_token])
        return WalkStep(
            position=position,
            token_id=token_id,
            # k_all and v_all are the cache itself, which `k` and `v` give; a copy of it a step would add up.
            trace=recorded.without(".k_all", ".v_all"),
            proof=self._prove(recorded, before, position, next_token),
            probabilities=probabilities.numpy(),
            next_token=next_token,
        )

    @torch.inference_mode()
    def _prove(self, cached: Trace, before: tuple[Tensor, Tensor], position: int, next_token: int) -> Proof:
        """Run the same tokens without a cache and compare."""
        differences = dict.fromkeys(COMPARED, 0.0)
        numbers = 0

        def compare(name: str, tensor: Tensor) -> Tensor:
            nonlocal numbers
            for quantity, suffix in COMPARED.items():
                if name.endswith(suffix):
                    ours = torch.from_numpy(cached[name])
                    # The naive pass has all rows; of scores and outputs the cached one has the last.
                    theirs = tensor[..., -ours.shape[-2] :, :].cpu()
                    numbers += ours.numel()
                    differences[quantity] = max(differences[quantity], float((ours - theirs).abs().max()))
            return tensor

        naive = self.model(self._batch(self.token_ids[: position + 1]), None, compare)
        after = self._cache.k[:, :, :, :position], self._cache.v[:, :, :, :position]
        return Proof(
            differences=differences,
            numbers=numbers,
            naive_token=self._sampler(naive[0, -1], position + 1),
            cached_token=next_token,
            earlier=sum(part.numel() for part in before),
            changed=sum(int((was != now).sum()) for was, now in zip(before, after, strict=True)),
        )

    def _keep_attn_norm(self, recorded: Trace) -> None:
        for layer in range(self.model.config.n_layers):
            rows = recorded[f"layers.{layer}.attn_norm"][0]
            self.attn_norm[layer, recorded.start : recorded.start + len(rows)] = rows

    def _batch(self, token_ids: Sequence[int]) -> Tensor:
        return torch.tensor([list(token_ids)], device=self.model.device)
