"""A cache that a policy thins out after every pass: rows know where they stood, the model does not."""

from copy import copy

import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.model import Tap, Transformer, _rotate
from kvengine.policies import Policy


class PolicyCache(KVCache):
    """The rows that a policy has kept, in the order of the text; as many in each layer and KV head.

    Keys are stored turned to their place in the text, and the next query stands at the true one behind them
    all. Where the policy renumbers, keys are stored unturned and turned at each read to their place in the
    cache, and the query stands behind those; one kind of position for both, never a mixture.

    Pass `tap` to the model along with the cache. `origin` is the position in the text of each row and `seen`
    the attention that it got so far, [n_layers, batch, n_kv_heads, max_seq_len]; `weights` is what the last
    pass gave each row, [n_layers, batch, n_kv_heads, q_len, rows], both averaged over the heads of a group.
    `tokens` have been run in all, `fresh` of them in the last pass.
    """

    def __init__(self, model: Transformer, policy: Policy, *, room: int, batch: int = 1) -> None:
        super().__init__(model.config, batch=batch, max_seq_len=room, device=model.device, dtype=model.dtype)
        self.policy = policy
        self.origin = torch.full(self.k.shape[:-1], -1, device=model.device)
        self.seen = torch.zeros(self.k.shape[:-1], device=model.device, dtype=model.dtype)
        self.tokens = self.fresh = 0
        self.rounded = 0  # rows that a policy of fewer bits has rounded already
        self._model = model
        self._weights: list[Tensor] = []
        self._unturned: Tensor | None = None

    @property
    def position(self) -> int:
        """Where the next token stands: in the text, or in the cache where rows are renumbered."""
        return self.length if self.policy.renumbers else self.tokens

    @property
    def weights(self) -> Tensor:
        return torch.stack(self._weights)

    @property
    def tap(self) -> Tap | None:
        """What listens to a pass for the policy; None where it needs nothing, and attention can be fused."""
        return self.listen if self.policy.watches or self.policy.renumbers else None

    def listen(self, name: str, tensor: Tensor) -> Tensor:
        """A tap that keeps what the policy decides by, and changes nothing."""
        if name.endswith("attn.k"):
            self._unturned = tensor
        elif name.endswith("attn.weights"):
            groups = tensor.unflatten(1, (self.k.shape[2], -1))  # [batch, n_kv_heads, group, q_len, rows]
            self._weights.append(groups.mean(dim=2))
        elif name == "embed":
            self._weights = []
        return tensor

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if not self.policy.renumbers:
            return super().update(layer, k, v)
        assert self._unturned is not None, "the pass needs the cache's tap, too"
        keys, values = super().update(layer, self._unturned, v)
        n = keys.shape[2]
        return _rotate(keys, self._model.cos[:n], self._model.sin[:n]), values

    def advance(self, n: int) -> None:
        at = torch.arange(self.tokens, self.tokens + n, device=self.k.device)
        self.origin[..., self.length : self.length + n] = at
        super().advance(n)
        self.tokens += n
        self.fresh = n
        if self.policy.watches:
            self.seen[..., self.length - n : self.length] = 0
            self.seen[..., : self.length] += self.weights.sum(dim=-2)
        self.policy.after(self)

    def keep(self, index: Tensor) -> None:
        """Let go of all rows but these, [n_layers, batch, n_kv_heads, kept], in ascending order."""
        n = index.shape[-1]
        wide = index[..., None].expand(*index.shape, self.k.shape[-1])
        for rows in (self.k, self.v):
            rows[..., :n, :] = rows.gather(3, wide)
        for of_rows in (self.origin, self.seen):
            of_rows[..., :n] = of_rows.gather(3, index)
        self.length = n

    def fork(self) -> "PolicyCache":
        """A copy of its own, to run something that this cache is not to know of."""
        twin = copy(self)
        for name in ("k", "v", "origin", "seen"):
            setattr(twin, name, getattr(self, name).clone())
        twin._layers_k, twin._layers_v = twin.k.unbind(), twin.v.unbind()
        return twin

    def crop(self, n: int) -> None:
        """Refused: rows that were dropped for later ones cannot come back."""
        raise NotImplementedError("a thinned cache cannot be taken back to an earlier text")

    def reset(self) -> None:
        super().reset()
        self.tokens = self.fresh = self.rounded = 0

    def used_bits(self) -> float:
        """Bits of the kept rows, K and V, as the policy's format would store them."""
        full = 8 * self.k.element_size()
        numbers = 8 * self.used_bytes / full
        return numbers * self.policy.bits(self.length, self.k.shape[-1], full)
