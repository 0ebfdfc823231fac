"""Rooms that several servers share: their state in a Redis, its news through pub/sub."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from explainer.rooms.room import ABSENCE, LIFETIME, MOST_ROOMS, RefusedError
from explainer.rooms.store import EVERY, FULL

_NEWS, _ROOMS = "kv-news", "kv-rooms"
#: Seconds before a lost Redis is asked again.
_AGAIN = 1.0


class Shared:
    """The store of rooms at `redis://host:6379/0`. Every key expires with its room."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        # Its stubs know no answers that are text.
        self._redis: Any = Redis.from_url(url, decode_responses=True, socket_connect_timeout=2)
        self._clock = clock
        self.on_told: Callable[[str, str], None] = lambda _code, _what: None

    async def read(self, code: str) -> str | None:
        async with _answering():
            shown: str | None = await self._redis.get(_key(code, "shown"))
        return shown

    async def write(self, code: str, shown: str) -> None:
        async with _answering():
            now = self._clock()
            if not await self._redis.exists(_key(code, "shown")):
                await self._redis.zremrangebyscore(_ROOMS, 0, now)
                if await self._redis.zcard(_ROOMS) >= MOST_ROOMS:
                    raise RefusedError(503, FULL)
            await self._redis.set(_key(code, "shown"), shown, ex=LIFETIME)
            await self._redis.zadd(_ROOMS, {code: now + LIFETIME})

    async def touch(self, code: str) -> None:
        async with _answering():
            if await self._redis.expire(_key(code, "shown"), LIFETIME):
                await self._redis.zadd(_ROOMS, {code: self._clock() + LIFETIME})

    async def end(self, code: str) -> None:
        async with _answering():
            await self._redis.delete(*(_key(code, part) for part in ("shown", "here", "votes")))
            await self._redis.zrem(_ROOMS, code)

    async def vote(self, code: str, poll: str, device: str, option: int) -> None:
        async with _answering():
            # Answers to an earlier question stand beside it until the room ends, and are not counted.
            await self._put(_key(code, "votes"), {device: f"{option} {poll}"})

    async def votes(self, code: str, poll: str) -> list[int]:
        async with _answering():
            kept = [vote.split(" ", 1) for vote in await self._redis.hvals(_key(code, "votes"))]
        return [int(option) for option, asked in kept if asked == poll]

    async def seen(self, code: str, pages: Mapping[str, str]) -> None:
        async with _answering():
            until = self._clock() + ABSENCE
            await self._put(_key(code, "here"), {device: f"{until} {page}" for device, page in pages.items()})

    async def gone(self, code: str, device: str) -> None:
        async with _answering():
            await self._redis.hdel(_key(code, "here"), device)

    async def here(self, code: str) -> dict[str, str]:
        async with _answering():
            kept = await self._redis.hgetall(_key(code, "here"))
        now, signs = self._clock(), {device: sign.split(" ", 1) for device, sign in kept.items()}
        return {device: page for device, (until, page) in signs.items() if float(until) > now}

    async def tell(self, code: str, what: str) -> None:
        async with _answering():
            await self._redis.publish(_NEWS, f"{code} {what}")

    async def run(self) -> None:
        """Pass on the news of all servers, and find the Redis again when it was lost."""
        while True:
            try:
                async with self._redis.pubsub() as news:
                    await news.subscribe(_NEWS)
                    async for message in news.listen():
                        if message["type"] == "subscribe":
                            self.on_told(EVERY, "place")  # what was told in between is not told again
                        else:
                            code, _, what = message["data"].partition(" ")
                            self.on_told(code, what)
            except RedisError:
                await asyncio.sleep(_AGAIN)

    async def _put(self, key: str, values: Mapping[str, str]) -> None:
        if values:
            async with self._redis.pipeline() as both:
                both.hset(key, mapping=values)
                both.expire(key, LIFETIME)
                await both.execute()


def _key(code: str, part: str) -> str:
    return f"kv-room:{code}:{part}"


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        yield
    except RedisError:
        raise RefusedError(503, "The rooms cannot be reached for the moment.") from None
