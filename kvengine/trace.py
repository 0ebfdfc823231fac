"""Every intermediate of one forward pass, by name: what the explainer shows is what this pass computed."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.model import Transformer


class Trace(Mapping[str, np.ndarray]):
    """The tensors of one pass as numpy copies, batch axis kept, in the order of their computation.

    Names: `embed`, then for each layer i `layers.i.` with attn_norm, attn.q, attn.k, attn.v, attn.q_rot,
    attn.k_rot, attn.k_all, attn.v_all, attn.scores, attn.masked, attn.weights, attn.z, attn.out, resid_mid,
    ffn_norm, ffn.gate, ffn.up, ffn.hidden, ffn.out, resid_post, then `norm` and `logits`. `start` is the
    position of the pass's first token.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], start: int) -> None:
        self._tensors = tensors
        self.start = start

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def without(self, *suffixes: str) -> "Trace":
        """The same trace less the tensors whose names end so."""
        kept = {name: tensor for name, tensor in self._tensors.items() if not name.endswith(suffixes)}
        return Trace(kept, self.start)


@torch.inference_mode()
def trace(
    model: Transformer,
    token_ids: Int[Tensor, "batch q_len"],
    cache: KVCache | None = None,
    *,
    keep: Callable[[str], bool] | None = None,
) -> Trace:
    """Run one pass and copy its intermediates; `keep` names those to copy, all of them by default.

    The cache, if any, is filled as by any other pass. Errors are those of `Transformer.__call__`.
    """
    start = 0 if cache is None else cache.length
    recorded: dict[str, np.ndarray] = {}

    def record(name: str, tensor: Tensor) -> Tensor:
        if keep is None or keep(name):
            # A copy: the cache's memory, seen through k_all, changes with the next step.
            recorded[name] = tensor.numpy(force=True).copy()
        return tensor

    model(token_ids, cache, record)
    return Trace(recorded, start)
