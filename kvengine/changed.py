"""Which stored rows came out differently: K and V of two compared passes, by token and layer."""

from dataclasses import dataclass

import numpy as np

from kvengine.compare import State
from kvengine.experiments import OPERATIONS, Recomputation, name_of


@dataclass(frozen=True)
class ChangedRows:
    """Of K and V in every layer, for each token that both passes had: how many of its `numbers`, all KV heads
    together, came out differently, and the largest difference. Each [n_layers, tokens]."""

    k: np.ndarray
    v: np.ndarray
    k_largest: np.ndarray
    v_largest: np.ndarray
    numbers: int

    @property
    def different(self) -> np.ndarray:
        """Rows of which at least one number of K or V came out differently. [n_layers, tokens], bool"""
        found: np.ndarray = (self.k + self.v) > 0
        return found

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.k, self.v, self.k_largest, self.v_largest))


def changed_rows(r: Recomputation) -> ChangedRows:
    """The rows of a comparison of two passes, such as `recompute` makes."""
    n_layers = sum(name.endswith(OPERATIONS["k"]) for name in r.tensors)
    counts: dict[str, list[np.ndarray]] = {"k": [], "v": []}
    largest: dict[str, list[np.ndarray]] = {"k": [], "v": []}
    for layer in range(n_layers):
        for key in "kv":
            tensor = r.tensors[name_of(key, layer)]  # [n_kv_heads, tokens, head_dim]
            tokens = tensor.was.shape[1]
            counts[key].append((tensor.state[:, :tokens] == State.DIFFERENT).sum(axis=(0, 2)))
            largest[key].append(np.abs(tensor.now[:, :tokens] - tensor.was).max(axis=(0, 2)))
    heads, _, width = r.tensors[name_of("k", 0)].was.shape
    return ChangedRows(
        k=np.stack(counts["k"]),
        v=np.stack(counts["v"]),
        k_largest=np.stack(largest["k"]).astype(np.float32),
        v_largest=np.stack(largest["v"]).astype(np.float32),
        numbers=heads * width,
    )
