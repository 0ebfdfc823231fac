"""The rooms of this server: who follows them here, and what they are told the moment that it happens."""

import asyncio
import json
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from explainer.rooms.follower import BEAT, Follower
from explainer.rooms.room import (
    MOST_CONNECTIONS,
    MOST_FOLLOWERS,
    MOST_ROOMS,
    Bucket,
    RefusedError,
    check_secret,
    code_of,
    new_secret,
    read_device,
    read_page,
    read_place,
)
from explainer.rooms.shared import Shared
from explainer.rooms.store import EVERY, Memory, Store

#: Seconds between two counts of a class.
COUNT_EVERY = 0.15
#: What every room is told when its state changed, when it ended, and its teacher when the class changed.
PLACE, END, CLASS = "place", "end", "class"

NO_ROOM = "There is no such room, or it has ended."
FULL_ROOM = f"This room is full: it takes {MOST_FOLLOWERS:,} devices."


class Hub:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.on_told = self._on_told
        self._followers: dict[str, set[Follower]] = {}
        self._news: dict[str, set[str]] = {PLACE: set(), CLASS: set(), END: set()}
        self._wake = asyncio.Event()
        self._wake_count = asyncio.Event()
        self._making = Bucket(1, 30)
        self._moving: dict[str, Bucket] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._stopping = False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Hub":
        """In memory, or in the Redis of `ROOMS_URL`; raises `ValueError` for an address that is none."""
        url = environment.get("ROOMS_URL", "")
        return cls(Shared(url) if url else Memory())

    # ---- what is asked of a room -------------------------------------------------------------------------

    async def make(self) -> dict[str, str]:
        self._making.take()
        while True:
            secret = new_secret()
            if await self.store.read(code_of(secret)) is None:
                break
        await self._write(code_of(secret), {"page": "", "params": {}, "poll": None})
        return {"code": code_of(secret), "secret": secret}

    async def show(self, code: str, said: Mapping[str, Any]) -> None:
        """The teacher's place. A room that is not known here is given back to the one who opened it."""
        check_secret(code, said.get("secret"))
        place = read_place(said)
        if len(self._moving) > 4 * MOST_ROOMS:
            self._moving.clear()
        self._moving.setdefault(code, Bucket(20, 40)).take()
        await self._write(code, place)

    async def _write(self, code: str, place: Mapping[str, Any]) -> None:
        await self.store.write(code, json.dumps(place, separators=(",", ":")))
        await self.store.tell(code, PLACE)
        await self.store.tell(code, CLASS)

    async def close(self, code: str, said: Mapping[str, Any]) -> None:
        check_secret(code, said.get("secret"))
        await self.store.end(code)
        await self.store.tell(code, END)

    async def vote(self, code: str, said: Mapping[str, Any]) -> None:
        device, option = read_device(said.get("device")), said.get("option")
        follower = self._here(code, device)
        poll = (await self._shown(code))["poll"]
        if follower:
            follower.often.take()
        elif device not in await self.store.here(code):
            raise RefusedError(409, "Only a device that is in the room can answer.")
        if not poll or poll["id"] != said.get("poll") or poll["phase"] != "open":
            raise RefusedError(409, "This question is no longer open.")
        if type(option) is not int or not 0 <= option < len(poll["options"]):
            raise RefusedError(400, "There is no such answer.")
        await self.store.vote(code, poll["id"], device, option)
        await self.store.tell(code, CLASS)

    async def explore(self, code: str, said: Mapping[str, Any]) -> None:
        """A device says on which page it explores, or that it follows."""
        follower = self._here(code, read_device(said.get("device")))
        page = read_page(said.get("page"))
        if not follower:
            raise RefusedError(409, "Only a device that is in the room can say where it is.")
        follower.often.take()
        follower.page = page
        await self.store.seen(code, {follower.device: page})
        await self.store.tell(code, CLASS)

    async def follow(self, code: str, device: object, secret: object = None) -> AsyncIterator[bytes]:
        """The events of a room, for a device of the class, or for the teacher."""
        if secret is not None:
            check_secret(code, secret)
        follower = Follower(code, "" if secret is not None else read_device(device), secret is not None)
        if await self.store.read(code) is None:
            raise RefusedError(404, NO_ROOM)
        if self._stopping or sum(map(len, self._followers.values())) >= MOST_CONNECTIONS:
            raise RefusedError(503, "This server has as many connections as it can hold.")
        if not follower.leads:
            here = await self.store.here(code)
            if len(here) >= MOST_FOLLOWERS and follower.device not in here:
                raise RefusedError(503, FULL_ROOM)
        return self._events(follower)

    async def _events(self, follower: Follower) -> AsyncIterator[bytes]:
        code = follower.code
        self._followers.setdefault(code, set()).add(follower)
        try:
            with suppress(RefusedError):  # it has ended meanwhile, or the Redis was lost: a device asks again
                if not follower.leads:
                    await self.store.seen(code, {follower.device: ""})
                    follower.tell(PLACE, await self._message(code))
                await self.store.tell(code, CLASS)
                async for event in follower.events():
                    yield event
        finally:
            self._followers[code].discard(follower)
            if not self._followers[code]:
                del self._followers[code]
            if not follower.leads and not self._here(code, follower.device):
                # By itself: what runs here is being cancelled.
                leaving = asyncio.create_task(self._leave(code, follower.device))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, code: str, device: str) -> None:
        with suppress(RefusedError):
            await self.store.gone(code, device)
            await self.store.tell(code, CLASS)

    def _here(self, code: str, device: str) -> Follower | None:
        return next((f for f in self._followers.get(code, ()) if f.device == device and not f.leads), None)

    # ---- what a room is told -----------------------------------------------------------------------------

    async def _shown(self, code: str) -> dict[str, Any]:
        text = await self.store.read(code)
        if text is None:
            raise RefusedError(404, NO_ROOM)
        shown: dict[str, Any] = json.loads(text)
        return shown

    async def _counts(self, code: str, poll: Mapping[str, Any]) -> list[int]:
        counts = Counter(await self.store.votes(code, poll["id"]))
        return [counts[option] for option in range(len(poll["options"]))]

    async def _message(self, code: str) -> bytes:
        """What every device of the class gets: the place, and the answers once they are shown."""
        shown = await self._shown(code)
        if (poll := shown["poll"]) and poll["phase"] != "open":
            poll["counts"] = await self._counts(code, poll)
        return _encoded(shown)

    async def _class(self, code: str) -> bytes:
        """What the teacher gets: how many there are, where, and how they have answered."""
        poll = (await self._shown(code))["poll"]
        pages = Counter((await self.store.here(code)).values())
        found: dict[str, Any] = {"joined": pages.total(), "pages": pages}
        if poll:
            found |= {"poll": poll["id"], "counts": await self._counts(code, poll)}
        return _encoded(found)

    def _on_told(self, code: str, what: str) -> None:
        codes = self._followers.keys() if code == EVERY else self._followers.keys() & {code}
        if what in self._news and codes:
            self._news[what] |= codes
            (self._wake_count if what == CLASS else self._wake).set()

    def _taken(self, what: str) -> set[str]:
        codes, self._news[what] = self._news[what], set()
        return codes

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The rooms work for as long as this lasts."""
        loop = asyncio.get_running_loop()
        works = [loop.create_task(work()) for work in (self.store.run, self._tell, self._count, self._beat)]
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._before(signal.getsignal(number), loop))
        yield
        for work in works:
            work.cancel()

    def _before(self, then: Any, loop: asyncio.AbstractEventLoop) -> Callable[[int, Any], None]:
        """What a signal to end does first: the server waits for its connections, and these have no end."""

        def ends(number: int, frame: Any) -> None:
            loop.call_soon_threadsafe(self._stop)
            if callable(then):
                then(number, frame)

        return ends

    def _stop(self) -> None:
        self._stopping = True
        for followers in self._followers.values():
            for follower in followers:
                follower.end()

    async def _tell(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for code in self._taken(END):
                for follower in self._followers.get(code, ()):
                    follower.tell(END, b"{}")
                    follower.end()
            for code in self._taken(PLACE):
                try:
                    message = await self._message(code)
                except RefusedError:  # it has ended meanwhile
                    continue
                for follower in self._followers.get(code, ()):
                    if not follower.leads:
                        follower.tell(PLACE, message)

    async def _count(self) -> None:
        while True:
            await self._wake_count.wait()
            self._wake_count.clear()
            for code in self._taken(CLASS):
                leaders = [follower for follower in self._followers.get(code, ()) if follower.leads]
                try:
                    message = await self._class(code) if leaders else b""
                except RefusedError:
                    continue
                for leader in leaders:
                    leader.tell(CLASS, message)
            await asyncio.sleep(COUNT_EVERY)

    async def _beat(self) -> None:
        """Who is connected is there; a connection to a room that is no longer kept ends."""
        while True:
            await asyncio.sleep(BEAT)
            for code, followers in list(self._followers.items()):
                with suppress(RefusedError):
                    await self._sign(code, followers)

    async def _sign(self, code: str, followers: set[Follower]) -> None:
        if any(follower.leads for follower in followers):
            await self.store.touch(code)
        if await self.store.read(code) is None:
            for follower in followers:
                follower.end()
        await self.store.seen(code, {f.device: f.page for f in followers if not f.leads})
        self._on_told(code, CLASS)


def _encoded(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
