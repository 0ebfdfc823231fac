"""The KV cache: every key and value that the model has computed so far, kept to be read again."""

import torch
from torch import Tensor

from kvengine.config import Config
from kvengine.errors import ContextLengthError


class KVCache:
    """Preallocated keys and values of all layers; `length` rows of them are filled.

    `k` and `v` are [n_layers, batch, n_kv_heads, max_seq_len, head_dim]. The keys are stored after the
    rotation that marks their position, so they are never touched again. Memory is taken once, at the
    start: appending with `torch.cat` instead would copy the whole history on every step.

    One forward pass calls `update` once per layer and `advance` once at its end.
    """

    def __init__(
        self,
        config: Config,
        *,
        batch: int = 1,
        max_seq_len: int | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.max_seq_len = config.max_seq_len if max_seq_len is None else max_seq_len
        shape = (config.n_layers, batch, config.n_kv_heads, self.max_seq_len, config.head_dim)
        self.k = torch.zeros(shape, device=device, dtype=dtype)
        self.v = torch.zeros(shape, device=device, dtype=dtype)
        self._layers_k, self._layers_v = self.k.unbind(), self.v.unbind()  # views of the same memory
        self.length = 0

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Write new rows of one layer behind the filled ones and return the whole history with them.

        `k` and `v` are [batch, n_kv_heads, q_len, head_dim]; both results are views
        [batch, n_kv_heads, length + q_len, head_dim]. `length` itself moves in `advance`, since every
        layer of a pass writes at the same place. Raises `ContextLengthError` when the rows do not fit.
        """
        end = self.length + k.shape[2]
        if end > self.max_seq_len:
            raise ContextLengthError(
                f"The cache has room for {self.max_seq_len} tokens, and {end} would have to be stored; "
                "shorten the text or make a larger cache."
            )
        # narrow and copy_ take less time than the same with brackets, and this runs in every layer.
        all_k, all_v = self._layers_k[layer].narrow(2, 0, end), self._layers_v[layer].narrow(2, 0, end)
        all_k.narrow(2, self.length, k.shape[2]).copy_(k)
        all_v.narrow(2, self.length, v.shape[2]).copy_(v)
        return all_k, all_v

    def advance(self, n: int) -> None:
        """Count the `n` rows that the pass has just written in every layer as filled."""
        self.length += n

    @property
    def position(self) -> int:
        """Where the next token stands: behind all rows, since none is ever dropped here."""
        return self.length

    def crop(self, n: int) -> None:
        """Forget all rows from position `n` on, as when the text is edited there.

        Raises `ValueError` unless 0 <= n <= length.
        """
        if not 0 <= n <= self.length:
            raise ValueError(f"cannot crop a cache of {self.length} rows to {n}")
        self.length = n

    def reset(self) -> None:
        """Forget everything; the memory stays allocated."""
        self.length = 0

    @property
    def used_bytes(self) -> int:
        """Bytes of the filled rows, K and V together."""
        return self.k[:, :, :, : self.length].nbytes + self.v[:, :, :, : self.length].nbytes

    @property
    def allocated_bytes(self) -> int:
        """Bytes of the whole preallocated memory, K and V together."""
        return self.k.nbytes + self.v.nbytes
