"""A trained model with somebody else's attention: plugged in where the pass has its own, through a tap."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from kvengine.model import Transformer

#: Attention over new rows: (layer, q, k, v), each [heads, rows, head_dim] and not yet turned to its position,
#: to the output [n_heads, rows, head_dim].
Attend = Callable[[int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@torch.inference_mode()
def logits_with(model: Transformer, token_ids: Sequence[int], attend: Attend) -> np.ndarray:
    """Run the tokens with `attend` in place of the model's attention: the logits behind the last one.

    The result is [vocab_size]. What came before the tokens is for `attend` to remember: the pass itself has
    no cache, and positions mean nothing in it but to its own attention, whose result is thrown away.
    """
    held: dict[str, np.ndarray] = {}

    def plug(name: str, tensor: Tensor) -> Tensor:
        place = name.split(".")
        if place[-2:-1] != ["attn"]:
            return tensor
        if place[-1] in "qkv":
            held[place[-1]] = tensor[0].numpy(force=True)
        if place[-1] != "z":
            return tensor
        given = attend(int(place[1]), held["q"], held["k"], held["v"])
        return torch.from_numpy(np.asarray(given, dtype=np.float32))[None].to(tensor)

    ids = torch.tensor([list(token_ids)], device=model.device)
    found: np.ndarray = model(ids, None, plug, last_only=True)[0, -1].float().numpy(force=True)
    return found
