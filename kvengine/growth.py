"""A cache as it grows: the bytes of its very tensors after every pass, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from kvengine.cache import KVCache
from kvengine.errors import ContextLengthError, PromptError
from kvengine.generate import Sampler, greedy
from kvengine.model import Transformer


@dataclass(frozen=True)
class Growth:
    """A text continued with a cache: `used[i]` are the bytes that the cache held after pass i.

    Pass 0 is the prefill. `strength` is the root mean square of the K and V numbers of each token in each
    layer and KV head, read from the cache after the last pass.
    """

    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]  # the generated ones; the last one is not in the cache yet
    used: tuple[int, ...]
    allocated: int
    strength: Float[np.ndarray, "n_layers n_kv_heads tokens"]

    @property
    def nbytes(self) -> int:
        return self.strength.nbytes + 100 * len(self.prompt_ids)


@torch.inference_mode()
def grow(model: Transformer, prompt_ids: Sequence[int], *, new: int, sampler: Sampler = greedy) -> Growth:
    """Run the prompt and then `new` more passes of one token each, and read the cache after every one.

    Raises `PromptError` for no tokens, `ContextLengthError` where prompt and new tokens outgrow the model.
    """
    room = len(prompt_ids) + new
    if not prompt_ids:
        raise PromptError("There is no token to run; a prompt needs at least one.")
    if room > model.config.max_seq_len:
        raise ContextLengthError(
            f"The model was trained on {model.config.max_seq_len} positions, "
            f"and the text would reach {room}; shorten it."
        )
    cache = KVCache(model.config, max_seq_len=room, device=model.device, dtype=model.dtype)
    token_ids, used = list(prompt_ids), []
    for _ in range(new + 1):
        fresh = torch.tensor([token_ids[cache.length :]], device=model.device)
        logits = model(fresh, cache, last_only=True)[0, -1]
        used.append(cache.used_bytes)
        token_ids.append(sampler(logits, len(token_ids)))
    kv = torch.stack([cache.k, cache.v])[:, :, 0]  # [2, n_layers, n_kv_heads, tokens, head_dim]
    strength = kv.float().square().mean(dim=(0, -1)).sqrt().numpy(force=True)
    n = len(prompt_ids)
    return Growth(tuple(prompt_ids), tuple(token_ids[n:]), tuple(used), cache.allocated_bytes, strength)
