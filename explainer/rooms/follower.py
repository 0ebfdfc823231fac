"""A connection that waits for the events of a room."""

import asyncio
from collections.abc import AsyncIterator

from explainer.rooms.room import Bucket

#: Seconds between two signs of life on a quiet connection.
BEAT = 15.0


class Follower:
    """A connection that waits for events. Of each kind only the newest is kept: who is slow misses some."""

    def __init__(self, code: str, device: str, leads: bool) -> None:
        self.code, self.device, self.leads = code, device, leads
        self.page = ""
        self.often = Bucket(2, 10)
        self.ended = False
        self._news: dict[str, bytes] = {}
        self._told = asyncio.Event()

    def tell(self, what: str, message: bytes) -> None:
        self._news[what] = message
        self._told.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events until the room ends."""
        yield b"retry: 1000\n\n"
        while not self.ended or self._news:
            try:
                async with asyncio.timeout(BEAT):
                    await self._told.wait()
            except TimeoutError:
                yield b": still here\n\n"
            self._told.clear()
            news, self._news = self._news, {}
            for what, message in news.items():
                yield b"event: %b\ndata: %b\n\n" % (what.encode(), message)

    def end(self) -> None:
        self.ended = True
        self._told.set()
