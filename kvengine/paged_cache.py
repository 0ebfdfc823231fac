"""A cache in scattered blocks, and the proof that the model writes the same text on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.errors import ContextLengthError
from kvengine.model import Transformer
from kvengine.paging import BLOCK


class PagedCache(KVCache):
    """The same cache in blocks that lie scattered in a pool; a table says which block comes next.

    `pool_k` and `pool_v` are [n_layers, batch, n_kv_heads, n_blocks, block, head_dim]. A serving engine's
    kernel reads the blocks where they lie. Here they are gathered, so that the one forward pass runs on them.
    """

    def __init__(
        self,
        config: Config,
        *,
        batch: int = 1,
        max_seq_len: int | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        block: int = BLOCK,
        seed: int = 0,
    ) -> None:
        self.max_seq_len = config.max_seq_len if max_seq_len is None else max_seq_len
        self.block = block
        n_blocks = -(-self.max_seq_len // block)
        shape = (config.n_layers, batch, config.n_kv_heads, n_blocks, block, config.head_dim)
        self.pool_k = torch.zeros(shape, device=device, dtype=dtype)
        self.pool_v = torch.zeros(shape, device=device, dtype=dtype)
        self._order = list(range(n_blocks))
        Random(seed).shuffle(self._order)  # as after many texts have come and gone
        if self._order == sorted(self._order):  # two blocks can lie in order by chance
            self._order.reverse()
        self.length = 0

    @property
    def table(self) -> tuple[int, ...]:
        """The blocks that hold tokens, in the order of the text."""
        return tuple(self._order[: -(-self.length // self.block)])

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        end = self.length + k.shape[2]
        if end > self.max_seq_len:
            raise ContextLengthError(
                f"The cache has room for {self.max_seq_len} tokens, and {end} would have to be stored; "
                "shorten the text or make a larger cache."
            )
        table = torch.tensor(self._order[: -(-end // self.block)], device=k.device)
        position = torch.arange(self.length, end, device=k.device)
        at, within = table[position // self.block], position % self.block
        gathered = []
        for pool, rows in ((self.pool_k[layer], k), (self.pool_v[layer], v)):
            pool[:, :, at, within] = rows
            gathered.append(pool[:, :, table].flatten(2, 3)[:, :, :end])
        return gathered[0], gathered[1]

    @property
    def used_bytes(self) -> int:
        """Bytes of the blocks that hold tokens, the last one's empty places included."""
        per_block = self.pool_k[:, :, :, 0].nbytes + self.pool_v[:, :, :, 0].nbytes
        return len(self.table) * per_block

    @property
    def allocated_bytes(self) -> int:
        return self.pool_k.nbytes + self.pool_v.nbytes


@dataclass(frozen=True)
class PagedRun:
    """The same text through an unbroken cache and through scattered blocks."""

    token_ids: tuple[int, ...]
    same: bool
    difference: float  # the largest between the logits of both
    table: tuple[int, ...]
    used_bytes: int  # of the blocks that hold tokens


@torch.inference_mode()
def paged_run(model: Transformer, prompt_ids: Sequence[int], steps: int, *, block: int = BLOCK) -> PagedRun:
    """Continue the prompt by `steps` greedy tokens twice, and hold the logits of every step together.

    Both runs are fed the unbroken one's tokens. Errors are those of `Transformer.__call__`.
    """
    room = len(prompt_ids) + steps - 1
    plain = KVCache(model.config, max_seq_len=room, device=model.device, dtype=model.dtype)
    paged = PagedCache(model.config, max_seq_len=room, device=model.device, dtype=model.dtype, block=block)
    fresh, taken, same, difference = torch.tensor([list(prompt_ids)], device=model.device), [], True, 0.0
    for _ in range(steps):
        expected, found = (model(fresh, cache, last_only=True)[0, -1] for cache in (plain, paged))
        same &= bool(expected.argmax() == found.argmax())
        difference = max(difference, float((expected - found).abs().max()))
        fresh = expected.argmax().view(1, 1)
        taken.append(int(fresh))
    return PagedRun(tuple(taken), same, difference, paged.table, paged.used_bytes)
