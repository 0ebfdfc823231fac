"""A cache that outlives its request: keys and values of beginnings, for other texts that begin the same.

In the manner of vLLM's automatic prefix caching (docs/design/prefix_caching.md in its repository): the tokens
of a text are cut into blocks of equal size, a block is known by a hash of its parent's hash and its own
tokens, and only full blocks are kept. So two texts share exactly the blocks before their first different
token. What was used longest ago goes first, from the ends of texts: a block is found by way of its parent.

vLLM lets requests read the blocks where they are; here a request copies them into a cache of its own, so that
nothing it does can reach them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from types import TracebackType
from typing import Generic, TypeVar

import torch
from torch import Tensor

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.cost import cache_bytes
from kvengine.errors import PromptError
from kvengine.model import Transformer

P = TypeVar("P")

#: Keys and values of one block, each [n_layers, n_kv_heads, block_size, head_dim].
Slab = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Block(Generic[P]):
    """A full block: its hash, its parent's, its tokens, what is kept of them, where its first one stands."""

    key: bytes
    parent: bytes
    token_ids: tuple[int, ...]
    payload: P
    start: int


@dataclass(frozen=True)
class Stats:
    """What happened so far; `asked` and `reused` are tokens."""

    requests: int = 0
    asked: int = 0
    reused: int = 0
    stored: int = 0  # blocks
    evicted: int = 0  # blocks

    @property
    def hit_rate(self) -> float:
        """The share of all tokens asked for that was reused."""
        return self.reused / self.asked if self.asked else 0.0


@dataclass(frozen=True)
class Change(Generic[P]):
    """What keeping a text did: blocks that came in, and blocks that had to go."""

    stored: tuple[Block[P], ...]
    evicted: tuple[Block[P], ...]


class Lease(Generic[P]):
    """The blocks that a request reads. Until it is closed none of them is evicted."""

    def __init__(self, blocks: tuple[Block[P], ...], release: Callable[[tuple[Block[P], ...]], None]) -> None:
        self.blocks = blocks
        self._release = release
        self._open = True

    @property
    def length(self) -> int:
        """Tokens in the blocks."""
        return sum(len(block.token_ids) for block in self.blocks)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._release(self.blocks)

    def __enter__(self) -> "Lease[P]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PrefixCache(Generic[P]):
    """Blocks of beginnings, for any number of threads. What a block keeps is the caller's, and never changed.

    `block_bytes` is the size of what one block keeps, `budget` the bytes that all may take together. `salt`
    goes into every hash: texts under another salt share nothing, as with vLLM's `cache_salt`.

    Raises `PromptError` for a block without a token and for a negative size or budget.
    """

    def __init__(self, *, block_size: int, block_bytes: int, budget: int, salt: str = "") -> None:
        if block_size < 1 or block_bytes < 0 or budget < 0:
            raise PromptError("A prefix cache needs blocks of at least 1 token, and sizes from 0 upwards.")
        self.block_size, self.block_bytes, self.budget = block_size, block_bytes, budget
        self.root = sha256(salt.encode()).digest()
        self._lock = threading.Lock()
        # Least recently used first. A text's blocks are touched from its end, so every block stands behind
        # all that follow it in a text: the first that nobody holds is the end of its text.
        self._blocks: OrderedDict[bytes, Block[P]] = OrderedDict()
        self._held: dict[bytes, int] = {}
        self._stats = Stats()

    def lease(self, token_ids: Sequence[int], *, counted: bool = True) -> Lease[P]:
        """Hold the longest known beginning, in full blocks, that leaves at least the last token to compute.

        Without a computed token there would be no logits. `counted` enters it into the statistics.
        """
        with self._lock:
            found = []
            for key, _, _ in self._cut(token_ids[:-1]):
                if key not in self._blocks:
                    break
                found.append(self._blocks[key])
            blocks = tuple(found)
            self._hold(blocks)
            if counted:
                was = self._stats
                self._stats = replace(
                    was,
                    requests=was.requests + 1,
                    asked=was.asked + len(token_ids),
                    reused=was.reused + self.block_size * len(blocks),
                )
        return Lease(blocks, self._let_go)

    def store(self, token_ids: Sequence[int], payload: Callable[[int, int], P]) -> Change[P]:
        """Keep the full blocks of a text that are not there yet: `payload(start, end)` of each.

        Makes room by evicting what was used longest ago and nobody holds; where there is none, the rest of
        the text is not kept.
        """
        stored: list[Block[P]] = []
        evicted: list[Block[P]] = []
        chain: list[Block[P]] = []
        with self._lock:
            parent = self.root
            for key, tokens, start in self._cut(token_ids):
                if key not in self._blocks:
                    room = self._make_room(evicted)
                    if not room:
                        break
                    made = Block(key, parent, tokens, payload(start, start + self.block_size), start)
                    self._blocks[key] = made
                    stored.append(made)
                chain.append(self._blocks[key])
                self._hold(chain[-1:])  # or the next block might push it out
                parent = key
            self._release(tuple(chain))
            was = self._stats
            self._stats = replace(was, stored=was.stored + len(stored), evicted=was.evicted + len(evicted))
        return Change(tuple(stored), tuple(evicted))

    @property
    def blocks(self) -> tuple[Block[P], ...]:
        """All that is kept, least recently used first."""
        with self._lock:
            return tuple(self._blocks.values())

    @property
    def stats(self) -> Stats:
        return self._stats

    @property
    def used_bytes(self) -> int:
        """What all blocks keep."""
        return len(self._blocks) * self.block_bytes

    def held(self, block: Block[P]) -> int:
        """How many leases hold a block."""
        return self._held.get(block.key, 0)

    def _cut(self, token_ids: Sequence[int]) -> Iterator[tuple[bytes, tuple[int, ...], int]]:
        """The full blocks of a text: hash, tokens, and where the first of them stands."""
        key = self.root
        for start in range(0, len(token_ids) - self.block_size + 1, self.block_size):
            tokens = tuple(token_ids[start : start + self.block_size])
            key = sha256(key + repr(tokens).encode()).digest()
            yield key, tokens, start

    def _hold(self, blocks: Sequence[Block[P]]) -> None:
        for block in reversed(blocks):
            self._held[block.key] = self._held.get(block.key, 0) + 1
            self._blocks.move_to_end(block.key)

    def _let_go(self, blocks: tuple[Block[P], ...]) -> None:
        with self._lock:
            self._release(blocks)

    def _release(self, blocks: tuple[Block[P], ...]) -> None:
        """Let go of a text's blocks, from its end, as they are touched."""
        for block in reversed(blocks):
            self._blocks.move_to_end(block.key)
            self._held[block.key] -= 1
            if not self._held[block.key]:
                del self._held[block.key]

    def _make_room(self, evicted: list[Block[P]]) -> bool:
        """Evict until one more block fits; False where it never will."""
        while self.used_bytes + self.block_bytes > self.budget:
            free = next((key for key in self._blocks if key not in self._held), None)
            if free is None:
                return False
            evicted.append(self._blocks.pop(free))
        return True


# ---- keys and values as what a block keeps ---------------------------------------------------------------


def prefix_cache(config: Config, *, block_size: int, budget: int, salt: str = "") -> PrefixCache[Slab]:
    """A prefix cache for a model's keys and values in float32; `budget` in bytes."""
    block_bytes = cache_bytes(config, block_size)
    return PrefixCache(block_size=block_size, block_bytes=block_bytes, budget=budget, salt=salt)


@torch.inference_mode()
def load(blocks: Sequence[Block[Slab]], cache: KVCache) -> None:
    """Copy blocks into an empty cache of batch 1, as its first rows."""
    for block in blocks:
        (k, v), n = block.payload, len(block.token_ids)
        cache.k[:, 0, :, cache.length : cache.length + n] = k
        cache.v[:, 0, :, cache.length : cache.length + n] = v
        cache.advance(n)


def keep(prefixes: PrefixCache[Slab], token_ids: Sequence[int], cache: KVCache) -> Change[Slab]:
    """Keep a copy of the filled rows of a cache of batch 1, which hold these tokens, in full blocks."""

    def rows(start: int, end: int) -> Slab:
        return cache.k[:, 0, :, start:end].clone(), cache.v[:, 0, :, start:end].clone()

    return prefixes.store(token_ids[: cache.length], rows)


@dataclass(frozen=True)
class Prefill:
    """A prompt in a cache: `reused` of its rows were copied, the others computed; logits [vocab_size]."""

    reused: int
    cache: KVCache
    logits: Tensor


@torch.inference_mode()
def prefill(
    model: Transformer,
    token_ids: Sequence[int],
    prefixes: PrefixCache[Slab] | None = None,
    *,
    room: int = 0,
    counted: bool = True,
) -> Prefill:
    """Fill a cache with a prompt, what is known of its beginning copied, with `room` for tokens behind it.

    Raises `PromptError` for no tokens at all, `ContextLengthError` when the prompt outgrows the model.
    """
    most = max(1, min(len(token_ids) + room, model.config.max_seq_len))
    cache = KVCache(model.config, max_seq_len=most, device=model.device, dtype=model.dtype)
    if prefixes and len(token_ids) <= most:
        with prefixes.lease(token_ids, counted=counted) as lease:
            load(lease.blocks, cache)
    reused = cache.length
    ids = torch.tensor([list(token_ids[reused:])], dtype=torch.long, device=model.device)
    return Prefill(reused, cache, model(ids, cache, last_only=True)[0, -1])
