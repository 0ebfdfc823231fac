"""Who reads what: how often each token's query, key and value took part in a later token's pass, counted.

The text is run one token at a time through a cache. In every pass a tap looks at the scores and the weights
that were computed: a score that is there is a query multiplied with a key, a weight that is not zero is a
value added to an output.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.errors import PromptError
from kvengine.model import Transformer


@dataclass(frozen=True)
class Reads:
    """`q`, `k` and `v` are [tokens, tokens]: in how many heads of the model, all layers together, the row of
    token i was read by the pass that ran token j."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    heads: int  # of the model, all layers together: the most that one pass can count

    def readers(self, role: str, token: int) -> tuple[int, ...]:
        """The tokens whose passes read this token's row, in order."""
        counts: np.ndarray = getattr(self, role)
        return tuple(int(reader) for reader in np.flatnonzero(counts[token]))


@torch.inference_mode()
def count_reads(model: Transformer, token_ids: Sequence[int]) -> Reads:
    """Run the tokens one by one and count. Raises `PromptError` for no tokens at all."""
    n = len(token_ids)
    if n == 0:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    config = model.config
    cache = KVCache(config, max_seq_len=n, device=model.device, dtype=model.dtype)
    counts = {role: np.zeros((n, n), dtype=np.uint16) for role in "qkv"}

    def count(name: str, tensor: Tensor) -> Tensor:
        now = cache.length
        if name.endswith("attn.masked"):  # [1, n_heads, 1, now + 1]
            scored = tensor[0].isfinite()
            counts["k"][: now + 1, now] += scored[:, 0].sum(dim=0).numpy(force=True).astype(np.uint16)
            # The rows of the scores are the queries of this pass, which stand behind those in the cache.
            asked = scored.any(dim=-1).sum(dim=0).numpy(force=True).astype(np.uint16)
            counts["q"][now : now + len(asked), now] += asked
        elif name.endswith("attn.weights"):
            taken = (tensor[0, :, 0] != 0).sum(dim=0)
            counts["v"][: now + 1, now] += taken.numpy(force=True).astype(np.uint16)
        return tensor

    for token_id in token_ids:
        model(torch.tensor([[token_id]], device=model.device), cache, count, last_only=True)
    for array in counts.values():
        array.flags.writeable = False
    return Reads(**counts, heads=config.n_layers * config.n_heads)
