"""What a room's teacher may say, its code, and where rooms are kept."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.rooms import store
from explainer.rooms.hub import Hub
from explainer.rooms.room import (
    ABSENCE,
    ALPHABET,
    CODE_LENGTH,
    LIFETIME,
    MOST_BYTES,
    Bucket,
    RefusedError,
    check_secret,
    code_of,
    new_secret,
    read_body,
    read_code,
    read_place,
    read_poll,
)
from explainer.rooms.shared import Shared
from explainer.rooms.store import Memory, Store

POLL = {"id": "p1", "by": "stage", "text": "Which?", "options": ["a", "b"], "answer": 1, "why": "Since."}

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)
place_like = st.fixed_dictionaries(
    {},
    optional={"page": json_values, "params": json_values, "poll": json_values, "secret": json_values},
)
poll_like = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("p1") | json_values,
        "by": st.just("stage") | json_values,
        "text": st.text() | json_values,
        "options": st.lists(st.text(), max_size=10) | json_values,
        "answer": st.integers(-2, 10) | json_values,
        "why": st.text() | json_values,
        "phase": st.sampled_from(["open", "bars", "truth"]) | json_values,
        "veil": json_values,
    },
)


# ---- codes and words -------------------------------------------------------------------------------------


def test_a_code_follows_from_its_secret_and_has_no_letters_that_are_taken_for_others() -> None:
    secrets = [new_secret() for _ in range(50)]
    codes = {code_of(secret) for secret in secrets}
    assert len(codes) == 50
    assert not set("AEIOU01B8S5Z2QLGV") & set(ALPHABET)
    for secret in secrets:
        code = code_of(secret)
        assert len(code) == CODE_LENGTH
        assert set(code) <= set(ALPHABET)
        assert read_code(f" {code.lower()} ") == code
        check_secret(code, secret)
    with pytest.raises(RefusedError, match="Only the teacher"):
        check_secret(code_of(secrets[0]), secrets[1])


def refusal(read: Callable[[Any], Any], given: Any) -> RefusedError | None:
    try:
        read(given)
    except RefusedError as refused:
        return refused
    return None


@given(place_like, poll_like | json_values)
def test_whatever_is_sent_is_taken_or_refused_with_a_sentence(place: Any, poll: Any) -> None:
    for refused in (refusal(read_place, place), refusal(read_poll, poll)):
        assert not refused or (refused.status == 400 and str(refused).endswith("."))


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_a_body_is_an_object_or_refused(body: bytes) -> None:
    refused = refusal(read_body, body)
    assert refused is None or refused.status == 400
    with pytest.raises(RefusedError, match="shorten the prompt"):
        read_body(b"{" + b" " * MOST_BYTES + b"}")


def test_no_device_is_told_the_answer_before_it_is_shown() -> None:
    for phase in ("open", "bars"):
        kept = read_poll(POLL | {"phase": phase})
        assert kept
        assert not {"answer", "why"} & kept.keys()
    shown = read_poll(POLL | {"phase": "truth"})
    assert shown
    assert (shown["answer"], shown["why"]) == (1, "Since.")


def test_a_bucket_lets_through_no_more_than_it_says() -> None:
    now = 0.0
    bucket = Bucket(2, 3, lambda: now)
    for _ in range(3):
        bucket.take()
    with pytest.raises(RefusedError, match="Too often"):
        bucket.take()
    now = 0.5
    bucket.take()
    with pytest.raises(RefusedError):
        bucket.take()


# ---- where rooms are kept --------------------------------------------------------------------------------


def run(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser's tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


class Clock:
    now = 1e9

    def __call__(self) -> float:
        return self.now


Kept = Callable[[Callable[[Store, Clock], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "redis"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """kept(what): run it with a store of either kind, and a clock that stands still."""
    clock = Clock()
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""

    def kept_by(what: Callable[[Store, Clock], Awaitable[None]]) -> None:
        async def started() -> None:
            store = Shared(url, clock) if url else Memory(clock)
            await what(store, clock)
            if isinstance(store, Shared):
                await store._redis.flushall()
                await store._redis.aclose()

        run(started())

    return kept_by


def test_a_device_counts_once_for_each_question(kept: Kept) -> None:
    async def what(store: Store, _clock: Clock) -> None:
        await store.write("ROOM", "{}")
        for device, option in (("a", 0), ("b", 1), ("a", 1), ("c", 0)):
            await store.vote("ROOM", "p1", device, option)
        assert sorted(await store.votes("ROOM", "p1")) == [0, 1, 1]
        await store.vote("ROOM", "p2", "a", 0)
        assert await store.votes("ROOM", "p2") == [0]

    kept(what)


def test_who_gives_no_sign_has_left(kept: Kept) -> None:
    async def what(store: Store, clock: Clock) -> None:
        await store.write("ROOM", "{}")
        await store.seen("ROOM", {"a": "", "b": "memory"})
        assert await store.here("ROOM") == {"a": "", "b": "memory"}
        clock.now += ABSENCE - 1
        await store.seen("ROOM", {"b": ""})
        clock.now += 2
        assert await store.here("ROOM") == {"b": ""}
        await store.gone("ROOM", "b")
        assert await store.here("ROOM") == {}

    kept(what)


def test_nothing_is_kept_of_a_room_that_has_ended(kept: Kept) -> None:
    async def what(store: Store, _clock: Clock) -> None:
        await store.write("ROOM", "{}")
        await store.seen("ROOM", {"a": ""})
        await store.vote("ROOM", "p1", "a", 0)
        await store.end("ROOM")
        assert await store.read("ROOM") is None
        assert await store.here("ROOM") == {}
        assert await store.votes("ROOM", "p1") == []
        if isinstance(store, Shared):
            assert await store._redis.keys("*") == []

    kept(what)


def test_every_key_in_a_redis_ends_by_itself(redis_url: str) -> None:
    async def what() -> None:
        store = Shared(redis_url)
        await store.write("ROOM", "{}")
        await store.seen("ROOM", {"a": ""})
        await store.vote("ROOM", "p1", "a", 0)
        for key in await store._redis.keys("kv-room:*"):
            assert 0 < await store._redis.ttl(key) <= LIFETIME
        await store._redis.flushall()
        await store._redis.aclose()

    run(what())


def test_a_room_ends_when_its_teacher_has_been_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_ROOMS", 2)

    async def what() -> None:
        clock = Clock()
        rooms = Memory(clock)
        await rooms.write("ONE", "{}")
        await rooms.write("TWO", "{}")
        with pytest.raises(RefusedError, match="as many rooms"):
            await rooms.write("THREE", "{}")
        clock.now += LIFETIME - 1
        await rooms.touch("ONE")
        clock.now += 2
        assert (await rooms.read("ONE"), await rooms.read("TWO")) == ("{}", None)
        await rooms.write("THREE", "{}")  # in place of the one that has ended

    run(what())


def test_a_room_that_ends_while_somebody_joins_has_no_events() -> None:
    """The answer has begun by then: an error could no longer be told, only logged."""

    async def what() -> None:
        hub = Hub(Memory())
        opened = await hub.make()
        events = await hub.follow(opened["code"], "student-0001")
        await hub.close(opened["code"], opened)
        assert [event async for event in events] == []

    run(what())


def test_an_address_that_is_no_redis_is_refused_when_the_server_starts() -> None:
    with pytest.raises(ValueError, match="scheme"):
        Hub.read({"ROOMS_URL": "http://localhost"})
    assert isinstance(Hub.read({}).store, Memory)


def test_when_the_redis_is_away_a_sentence_says_so() -> None:
    async def what() -> None:
        with pytest.raises(RefusedError, match="cannot be reached") as refused:
            await Shared("redis://127.0.0.1:1").read("ROOM")
        assert refused.value.status == 503

    run(what())
