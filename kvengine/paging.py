"""Memory for many caches at once: rows reserved for the longest text, or blocks taken as the text grows.

`simulate` counts what both make of the same requests. The idea is PagedAttention's (arXiv 2309.06180), whose
blocks hold 16 tokens; `paged_cache.py` runs the model on such blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kvengine.errors import KVEngineError, spoken

BLOCK = 16
#: What a trace may hold: it is simulated step by step, and drawn.
MOST_REQUESTS, MOST_STEPS, MOST_LENGTH, MOST_PLACES = 24, 1000, 1024, 4096


class TraceError(KVEngineError):
    """Requests that cannot be simulated."""


@dataclass(frozen=True)
class Request:
    """A text that arrives at step `arrives` with `prompt` tokens and ends when `new` more are generated."""

    arrives: int
    prompt: int
    new: int

    @property
    def length(self) -> int:
        return self.prompt + self.new


@dataclass(frozen=True)
class Held:
    """What one request has of the memory: the tokens in it, and the spans (start, length) it holds."""

    request: int
    tokens: int
    spans: tuple[tuple[int, int], ...]

    @property
    def reserved(self) -> int:
        return sum(length for _, length in self.spans)


@dataclass(frozen=True)
class Moment:
    """The memory after one step."""

    held: tuple[Held, ...]
    waiting: tuple[int, ...]
    finished: tuple[int, ...]
    put_back: int  # requests whose blocks were taken away so far, to be run anew

    @property
    def used(self) -> int:
        return sum(held.tokens for held in self.held)

    @property
    def reserved(self) -> int:
        return sum(held.reserved for held in self.held)

    @property
    def wasted(self) -> int:
        """Places that are reserved and hold no token."""
        return self.reserved - self.used


def simulate(
    requests: Sequence[Request], *, places: int, longest: int, block: int | None = None
) -> tuple[Moment, ...]:
    """Serve the requests in a memory of `places` tokens, a moment a step, until the last one is finished.

    In each step, requests that have come are admitted in their order as long as there is room, and every
    running one is given a token more. Without `block`, a request takes one unbroken span of `longest` places
    when it is admitted. With it, it takes as many blocks as its tokens need, and another when they are full;
    where none is free, the request that came last is put back, to be computed again when there is room.

    Raises `TraceError` for requests that are no requests, or that can never fit.
    """
    _check(requests, places, longest, block)
    pool = _Blocks(places, block) if block else _Spans(places, longest)
    waiting = sorted(range(len(requests)), key=lambda i: (requests[i].arrives, i))
    running: list[int] = []  # in the order in which they came in
    tokens: dict[int, int] = {}
    finished: list[int] = []
    moments: list[Moment] = []
    put_back = 0
    for step in range(MOST_STEPS):
        for i in running.copy():
            if tokens[i] == requests[i].length:
                running.remove(i)
                pool.free(i)
                finished.append(i)
        for i in running.copy():
            if i not in running:  # it was put back for an earlier one
                continue
            while not pool.grow(i, tokens[i] + 1):
                last = running.pop()
                pool.free(last)
                waiting.insert(0, last)
                put_back += 1
                if last == i:
                    break
            else:
                tokens[i] += 1
        while waiting and requests[waiting[0]].arrives <= step:
            i = waiting[0]
            if not pool.grow(i, tokens.setdefault(i, requests[i].prompt)):
                break
            running.append(waiting.pop(0))
        held = tuple(Held(i, tokens[i], tuple(pool.held[i])) for i in running)
        here = tuple(i for i in waiting if requests[i].arrives <= step)
        moments.append(Moment(held, here, tuple(finished), put_back))
        if len(finished) == len(requests):
            return tuple(moments)
    raise TraceError(f"These requests take more than {MOST_STEPS:,} steps; make them shorter, or fewer.")


@dataclass
class _Spans:
    """Unbroken spans of one length, the first gap that is long enough."""

    places: int
    longest: int
    held: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def grow(self, i: int, tokens: int) -> bool:
        if i in self.held:
            return True
        taken = {span[0][0] for span in self.held.values()}
        starts = range(0, self.places - self.longest + 1, self.longest)
        start = next((start for start in starts if start not in taken), None)
        if start is None:
            return False
        self.held[i] = [(start, self.longest)]
        return True

    def free(self, i: int) -> None:
        del self.held[i]


class _Blocks:
    """Blocks from a list of free ones, the lowest first."""

    def __init__(self, places: int, block: int) -> None:
        self.block = block
        self.unused = list(range(places // block))
        self.held: dict[int, list[tuple[int, int]]] = {}

    def grow(self, i: int, tokens: int) -> bool:
        missing = -(-tokens // self.block) - len(self.held.get(i, ()))
        if missing > len(self.unused):
            return False
        taken, self.unused = self.unused[:missing], self.unused[missing:]
        self.held.setdefault(i, []).extend((b * self.block, self.block) for b in taken)
        return True

    def free(self, i: int) -> None:
        self.unused = sorted([*self.unused, *(start // self.block for start, _ in self.held.pop(i))])


def _check(requests: Sequence[Request], places: int, longest: int, block: int | None) -> None:
    if not 1 <= len(requests) <= MOST_REQUESTS:
        raise TraceError(f"There are {len(requests)} requests; 1 to {MOST_REQUESTS} can be served here.")
    if longest < 1:
        raise TraceError(f"A row of {spoken(longest)} places holds no token; choose 1 or more.")
    for number, request in enumerate(requests, start=1):
        if not 0 <= request.arrives < MOST_STEPS:
            raise TraceError(
                f"Request {number} arrives at step {spoken(request.arrives)}; "
                f"steps are 0 to {MOST_STEPS - 1:,}."
            )
        if not (1 <= request.prompt <= MOST_LENGTH and 1 <= request.new <= MOST_LENGTH):
            raise TraceError(
                f"Request {number} has a prompt of {spoken(request.prompt)} and {spoken(request.new)} "
                f"new tokens; both must be 1 to {MOST_LENGTH:,}."
            )
        if request.length > longest:
            raise TraceError(
                f"Request {number} grows to {request.length:,} tokens, and a row has room for {longest:,}; "
                "make the rows longer, or the request shorter."
            )
    if not 1 <= places <= MOST_PLACES:
        raise TraceError(
            f"A memory of {spoken(places)} places is not served here; choose 1 to {MOST_PLACES:,}."
        )
    if longest > places or (block and not 1 <= block <= places):
        raise TraceError(f"A row of {spoken(longest)} tokens does not fit into a memory of {places:,}.")
    most = max(-(-r.length // block) * block for r in requests) if block else 0
    if most > places:
        raise TraceError(f"A request needs {most:,} places, and the memory has {places:,}; make it larger.")
