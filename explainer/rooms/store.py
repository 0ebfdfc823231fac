"""Where rooms are kept: in this server's memory. `shared.py` keeps them in a Redis, for several servers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from explainer.rooms.room import ABSENCE, LIFETIME, MOST_ROOMS, RefusedError

#: Told instead of a code when anything may be new.
EVERY = "*"
FULL = "This server has as many rooms as it can hold; try again when one has ended."


class Store(Protocol):
    """All that is known of the rooms. Nothing of it outlasts `LIFETIME` seconds after `write` or `touch`."""

    async def read(self, code: str) -> str | None:
        """What the teacher shows, as JSON; None where there is no such room."""

    async def write(self, code: str, shown: str) -> None:
        """What the teacher shows now. Raises `RefusedError` for a new room where there are too many."""

    async def touch(self, code: str) -> None:
        """The teacher is still there."""

    async def end(self, code: str) -> None: ...

    async def vote(self, code: str, poll: str, device: str, option: int) -> None:
        """The device's answer to that question, instead of the one it gave before."""

    async def votes(self, code: str, poll: str) -> list[int]:
        """The answer of each device."""

    async def seen(self, code: str, pages: Mapping[str, str]) -> None:
        """These devices are there, and on which page they explore; "" for those that follow."""

    async def gone(self, code: str, device: str) -> None: ...

    async def here(self, code: str) -> dict[str, str]:
        """The devices of which there was a sign within `ABSENCE` seconds, and their pages."""

    async def tell(self, code: str, what: str) -> None:
        """Something is new about a room: every server's `on_told` is called with this."""

    on_told: Callable[[str, str], None]

    async def run(self) -> None:
        """What there is to do for as long as the server runs."""


@dataclass
class _Kept:
    shown: str
    until: float
    poll: str = ""
    votes: dict[str, int] = field(default_factory=dict)
    here: dict[str, tuple[str, float]] = field(default_factory=dict)  # device -> page, until when


class Memory:
    """Rooms of one server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rooms: dict[str, _Kept] = {}
        self.on_told: Callable[[str, str], None] = lambda _code, _what: None

    def _kept(self, code: str) -> _Kept | None:
        kept = self._rooms.get(code)
        return kept if kept and kept.until > self._clock() else None

    async def read(self, code: str) -> str | None:
        kept = self._kept(code)
        return kept.shown if kept else None

    async def write(self, code: str, shown: str) -> None:
        now = self._clock()
        kept = self._kept(code)
        if not kept:
            self._rooms = {name: room for name, room in self._rooms.items() if room.until > now}
            if len(self._rooms) >= MOST_ROOMS:
                raise RefusedError(503, FULL)
            kept = self._rooms[code] = _Kept(shown, now)
        kept.shown, kept.until = shown, now + LIFETIME

    async def touch(self, code: str) -> None:
        if kept := self._kept(code):
            kept.until = self._clock() + LIFETIME

    async def end(self, code: str) -> None:
        self._rooms.pop(code, None)

    async def vote(self, code: str, poll: str, device: str, option: int) -> None:
        if kept := self._kept(code):
            if kept.poll != poll:
                kept.poll, kept.votes = poll, {}
            kept.votes[device] = option

    async def votes(self, code: str, poll: str) -> list[int]:
        kept = self._kept(code)
        return list(kept.votes.values()) if kept and kept.poll == poll else []

    async def seen(self, code: str, pages: Mapping[str, str]) -> None:
        if kept := self._kept(code):
            kept.here |= {device: (page, self._clock() + ABSENCE) for device, page in pages.items()}

    async def gone(self, code: str, device: str) -> None:
        if kept := self._kept(code):
            kept.here.pop(device, None)

    async def here(self, code: str) -> dict[str, str]:
        kept, now = self._kept(code), self._clock()
        return {device: page for device, (page, until) in kept.here.items() if until > now} if kept else {}

    async def tell(self, code: str, what: str) -> None:
        self.on_told(code, what)

    async def run(self) -> None: ...
