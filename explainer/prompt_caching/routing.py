"""A small simulation: the same requests sent to several machines, each with a prefix cache of its own.

The stores are real ones (`kvengine.prefix`) that keep no keys and values, only which blocks there are.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from kvengine.prefix import PrefixCache

#: How a request finds its machine.
WAYS = ("turns", "random", "hash", "longest")

#: Tokens in a block, of a system prompt, and that each turn of a conversation adds.
BLOCK, SYSTEM, TURN = 16, 160, 64

#: Machines at most, and requests.
MOST_MACHINES, REQUESTS = 8, 160

#: Apps that share the machines, and turns of a conversation.
APPS, LENGTH = 5, 4

#: "longest" leaves a machine alone that has computed more than this many times the average.
BUSY = 1.5


@dataclass(frozen=True)
class Sent:
    """One request: which app's, where it went, its tokens, and how many of them were reused there."""

    app: int
    machine: int
    tokens: int
    reused: int


@dataclass(frozen=True)
class Outcome:
    """All requests of one way of routing."""

    sent: tuple[Sent, ...]
    machines: int

    @property
    def hit_rate(self) -> float:
        """The share of all tokens that was reused."""
        return sum(one.reused for one in self.sent) / sum(one.tokens for one in self.sent)

    @property
    def computed(self) -> tuple[int, ...]:
        """Tokens that each machine had to compute."""
        return tuple(
            sum(one.tokens - one.reused for one in self.sent if one.machine == m)
            for m in range(self.machines)
        )

    @property
    def busiest(self) -> float:
        """What the busiest machine computed, as a multiple of the average."""
        total = sum(self.computed)
        return max(self.computed) * self.machines / total if total else 1.0


def traffic(seed: int = 0) -> list[tuple[int, tuple[int, ...]]]:
    """Conversations of several apps, mixed: the app of each request, and its prompt as tokens.

    An app's conversations share its system prompt; each turn's prompt is the whole conversation so far. The
    first app has as many conversations as all others together, and so on.
    """
    draw = random.Random(seed)
    open_now: list[tuple[int, list[int], int]] = []
    requests: list[tuple[int, tuple[int, ...]]] = []
    fresh = 1_000_000
    while len(requests) < REQUESTS:
        if len(open_now) < 12:
            app = min(int(draw.expovariate(0.7)), APPS - 1)
            open_now.append((app, [app * 10_000 + i for i in range(SYSTEM)], 0))
        at = draw.randrange(len(open_now))
        app, tokens, turn = open_now.pop(at)
        tokens += range(fresh, fresh + TURN)
        fresh += TURN
        requests.append((app, tuple(tokens)))
        if turn + 1 < LENGTH:
            open_now.append((app, tokens, turn + 1))
    return requests


def route(
    requests: Sequence[tuple[int, tuple[int, ...]]], way: str, machines: int, store_tokens: int
) -> Outcome:
    """Send all requests; each machine's store holds `store_tokens` tokens."""
    stores: list[PrefixCache[None]] = [
        PrefixCache(block_size=BLOCK, block_bytes=BLOCK, budget=store_tokens) for _ in range(machines)
    ]
    work = [0] * machines
    draw = random.Random(1)
    sent = []
    for i, (app, tokens) in enumerate(requests):
        machine = _choose(way, i, tokens, stores, work, draw)
        with stores[machine].lease(tokens) as lease:
            reused = lease.length
        stores[machine].store(tokens, lambda start, end: None)
        work[machine] += len(tokens) - reused
        sent.append(Sent(app, machine, len(tokens), reused))
    return Outcome(tuple(sent), machines)


def _choose(
    way: str,
    i: int,
    tokens: tuple[int, ...],
    stores: Sequence[PrefixCache[None]],
    work: Sequence[int],
    draw: random.Random,
) -> int:
    machines = len(stores)
    if way == "turns":
        return i % machines
    if way == "random":
        return draw.randrange(machines)
    if way == "hash":  # of the beginning alone, so that it needs to know nothing of the stores
        digest = sha256(repr(tokens[:SYSTEM]).encode()).digest()
        return int.from_bytes(digest[:4], "big") % machines

    def known(machine: int) -> int:
        with stores[machine].lease(tokens, counted=False) as lease:
            return lease.length

    limit = BUSY * (sum(work) + len(tokens)) / machines
    free = [machine for machine in range(machines) if work[machine] <= limit]
    return max(free, key=lambda machine: (known(machine), -work[machine]))
