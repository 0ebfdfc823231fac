"""The prefix cache, held against a model of it that anybody can check by eye."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kvengine import ContextLengthError, PromptError, load_model
from kvengine.compare import TOLERANCE
from kvengine.cost import cache_bytes
from kvengine.prefix import Lease, PrefixCache, keep, prefill, prefix_cache
from tests.engine.reference import random_ids

NAME = "stories-1m-h8-kv4"
Tokens = tuple[int, ...]

#: Few different tokens, so that beginnings are shared all the time.
TEXTS = st.lists(st.integers(0, 2), max_size=9).map(tuple)


class Model:
    """What a prefix cache is, in the plainest words: beginnings with the time of their last use."""

    def __init__(self, block: int, most: int) -> None:
        self.block, self.most, self.now = block, most, 0
        self.used: dict[Tokens, int] = {}
        self.held: list[Tokens] = []  # the longest beginning of each lease

    def beginnings(self, text: Tokens) -> list[Tokens]:
        return [text[:end] for end in range(self.block, len(text) + 1, self.block)]

    def known(self, text: Tokens) -> list[Tokens]:
        found = []
        for beginning in self.beginnings(text):
            if beginning not in self.used:
                break
            found.append(beginning)
        return found

    def touch(self, beginnings: list[Tokens]) -> None:
        self.now += 1
        self.used |= dict.fromkeys(beginnings, self.now)

    def may_go(self, one: Tokens) -> bool:
        longer = any(other[: len(one)] == one and other != one for other in self.used)
        return not longer and not any(text[: len(one)] == one for text in self.held)

    def lease(self, text: Tokens) -> list[Tokens]:
        found = self.known(text[:-1])
        self.touch(found)
        self.held.append(found[-1] if found else ())
        return found

    def release(self, at: int) -> None:
        self.touch(self.known(self.held.pop(at)))

    def store(self, text: Tokens) -> None:
        self.held.append(())
        for beginning in self.beginnings(text):
            if beginning not in self.used:
                while len(self.used) >= self.most:
                    free = [one for one in self.used if self.may_go(one)]
                    if not free:
                        break
                    del self.used[min(free, key=self.used.__getitem__)]
                if len(self.used) >= self.most:
                    break
                self.used[beginning] = 0
            self.held[-1] = beginning
        self.release(-1)


class AgainstTheModel(RuleBasedStateMachine):
    """Any order of requests: the cache knows what the model knows, block by block."""

    @initialize(block=st.sampled_from([1, 2, 3, 16]), most=st.integers(0, 6))
    def begin(self, block: int, most: int) -> None:
        self.model = Model(block, most)
        self.cache: PrefixCache[Tokens] = PrefixCache(block_size=block, block_bytes=10, budget=10 * most + 9)
        self.leases: list[Lease[Tokens]] = []

    @rule(text=TEXTS)
    def lease(self, text: Tokens) -> None:
        lease = self.cache.lease(text)
        assert [block.payload for block in lease.blocks] == self.model.lease(text)
        self.leases.append(lease)

    @rule(text=TEXTS)
    def store(self, text: Tokens) -> None:
        before = {block.key for block in self.cache.blocks}
        change = self.cache.store(text, lambda start, end: text[:end])
        self.model.store(text)
        after = {block.key for block in self.cache.blocks}
        assert after == (before | {b.key for b in change.stored}) - {b.key for b in change.evicted}

    @rule(at=st.integers(0, 9))
    def release(self, at: int) -> None:
        if self.leases:
            at %= len(self.leases)
            self.leases.pop(at).close()
            self.model.release(at)

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert {block.payload for block in self.cache.blocks} == set(self.model.used)
        assert self.cache.used_bytes <= self.cache.budget
        for block in self.cache.blocks:
            holders = sum(text[: len(block.payload)] == block.payload for text in self.model.held)
            assert self.cache.held(block) == holders


AgainstTheModel.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
test_it_does_what_its_model_does = AgainstTheModel.TestCase


@given(st.lists(TEXTS, min_size=1, max_size=12), st.integers(1, 4))
def test_statistics_add_up(texts: list[Tokens], block: int) -> None:
    cache: PrefixCache[None] = PrefixCache(block_size=block, block_bytes=1, budget=5)
    reused = 0
    for text in texts:
        with cache.lease(text) as lease:
            reused += lease.length
            assert lease.length % block == 0
            assert lease.length <= max(0, len(text) - 1)
        cache.store(text, lambda start, end: None)
    stats = cache.stats
    assert (stats.requests, stats.asked, stats.reused) == (len(texts), sum(map(len, texts)), reused)
    assert stats.stored - stats.evicted == len(cache.blocks)
    assert stats.hit_rate == (reused / stats.asked if stats.asked else 0)


def test_many_threads_get_their_own_beginnings_and_never_more_than_the_budget() -> None:
    block, most, threads = 2, 40, 6
    cache: PrefixCache[Tokens] = PrefixCache(block_size=block, block_bytes=1, budget=most)
    together = threading.Barrier(threads)

    def hammer(seed: int) -> int:
        draw = random.Random(seed)
        held: list[tuple[Tokens, Lease[Tokens]]] = []
        together.wait(60)
        reused = 0
        for _ in range(400):
            text = tuple(draw.randrange(2) for _ in range(draw.randrange(1, 14)))
            lease = cache.lease(text)
            reused += lease.length
            held.append((text, lease))
            cache.store(text, lambda start, end, text=text: text[:end])  # type: ignore[misc]
            assert cache.used_bytes <= most
            if len(held) > 2:
                text, lease = held.pop(draw.randrange(len(held)))
                for i, found in enumerate(lease.blocks, start=1):
                    assert found.payload == text[: i * block]
                    assert cache.held(found) >= 1
                lease.close()
                lease.close()  # twice is once
        for _, lease in held:
            lease.close()
        return reused

    with ThreadPoolExecutor(threads) as pool:
        reused = sum(pool.map(hammer, range(threads)))
    assert cache.stats.reused == reused > 0
    assert not cache._held
    known = {block.key for block in cache.blocks} | {cache.root}
    assert all(block.parent in known for block in cache.blocks), "no block outlives its parent"


class OrderKeeping:
    """A lock that writes down who has held it: every operation of a prefix cache takes it once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.order: list[int] = []

    def __enter__(self) -> None:
        self._lock.acquire()
        self.order.append(threading.get_ident())

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("seed", range(3))
def test_what_several_threads_get_is_what_the_model_gives_in_the_order_of_the_lock(seed: int) -> None:
    block, most, threads = 2, 12, 4
    cache: PrefixCache[Tokens] = PrefixCache(block_size=block, block_bytes=1, budget=most)
    order = cache._lock = OrderKeeping()  # type: ignore[assignment]
    together = threading.Barrier(threads)
    done: dict[
        int, list[tuple[str, Tokens, list[Tokens]]]
    ] = {}  # by thread: what was done, and what came of it

    def hammer(seed: int) -> None:
        draw, mine = random.Random(seed), done.setdefault(threading.get_ident(), [])
        held: list[tuple[Tokens, Lease[Tokens]]] = []
        together.wait(60)
        for _ in range(150):
            text = tuple(draw.randrange(2) for _ in range(draw.randrange(1, 14)))
            lease = cache.lease(text)
            held.append((text, lease))
            mine.append(("lease", text, [found.payload for found in lease.blocks]))
            change = cache.store(text, lambda start, end, text=text: text[:end])  # type: ignore[misc]
            mine.append(("store", text, [found.payload for found in (*change.stored, *change.evicted)]))
            if len(held) > 2:
                text, lease = held.pop(draw.randrange(len(held)))
                lease.close()
                mine.append(("close", text, [found.payload for found in lease.blocks]))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(hammer, range(10 * seed, 10 * seed + threads)))
    model, ahead = Model(block, most), {thread: iter(mine) for thread, mine in done.items()}
    for thread in order.order:
        kind, text, found = next(ahead[thread])
        if kind == "lease":
            assert model.lease(text) == found
        elif kind == "close":
            model.release(model.held.index(found[-1] if found else ()))
        else:
            before = set(model.used)
            model.store(text)
            came_and_went = before ^ set(model.used)
            assert came_and_went <= set(found)
    assert {one.payload for one in cache.blocks} == set(model.used)


def test_another_salt_shares_nothing() -> None:
    one: PrefixCache[None] = PrefixCache(block_size=1, block_bytes=1, budget=9, salt="one")
    other: PrefixCache[None] = PrefixCache(block_size=1, block_bytes=1, budget=9, salt="other")
    for cache in (one, other):
        cache.store((1, 2), lambda start, end: None)
    assert not {block.key for block in one.blocks} & {block.key for block in other.blocks}


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_impossible_sizes_are_refused(sizes: tuple[int, int, int]) -> None:
    block, nbytes, budget = sizes
    with pytest.raises(PromptError):
        PrefixCache(block_size=block, block_bytes=nbytes, budget=budget)


# ---- with a model's keys and values ----------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 16, 64, 128])
def test_a_reused_beginning_gives_what_a_full_prefill_gives(block: int) -> None:
    model = load_model(NAME)
    prefixes = prefix_cache(model.config, block_size=block, budget=cache_bytes(model.config, 512))
    texts = [random_ids(model.config.vocab_size, 150, seed=seed)[0].tolist() for seed in (1, 2)]
    first, second = texts[0], [*texts[0][:70], *texts[1][70:]]
    keep(prefixes, first, prefill(model, first, prefixes).cache)
    found = prefill(model, second, prefixes)
    assert found.reused == 70 // block * block
    full = prefill(model, second)
    assert (found.logits - full.logits).abs().max() < TOLERANCE * 10
    for reused, computed in ((found.cache.k, full.cache.k), (found.cache.v, full.cache.v)):
        torch.testing.assert_close(reused, computed, rtol=1e-4, atol=1e-5)


def test_the_same_text_again_computes_at_least_its_last_token() -> None:
    model = load_model(NAME)
    prefixes = prefix_cache(model.config, block_size=1, budget=10**6)
    text = [0, 5, 6, 7]
    keep(prefixes, text, prefill(model, text, prefixes).cache)
    assert prefill(model, text, prefixes).reused == 3


def test_a_request_cannot_change_what_others_get() -> None:
    model = load_model(NAME)
    prefixes = prefix_cache(model.config, block_size=4, budget=10**6)
    text = list(range(20))
    mine = prefill(model, text, prefixes)
    keep(prefixes, text, mine.cache)
    expected = prefill(model, text, prefixes).logits
    for vandal in (mine, prefill(model, text, prefixes)):
        with torch.inference_mode():
            vandal.cache.k.fill_(7)
            vandal.cache.v.fill_(7)
    assert (prefill(model, text, prefixes).logits == expected).all()


def test_a_budget_of_zero_and_blocks_longer_than_the_text_keep_nothing() -> None:
    model = load_model(NAME)
    text = list(range(20))
    for block, budget in ((4, 0), (64, 10**7)):
        prefixes = prefix_cache(model.config, block_size=block, budget=budget)
        keep(prefixes, text, prefill(model, text, prefixes).cache)
        assert not prefixes.blocks
        assert prefill(model, text, prefixes).reused == 0


def test_a_prompt_past_the_context_is_refused_and_nothing_is_held() -> None:
    model = load_model(NAME)
    prefixes = prefix_cache(model.config, block_size=16, budget=10**7)
    text = [1] * (model.config.max_seq_len + 1)
    with pytest.raises(ContextLengthError):
        prefill(model, text, prefixes)
    with pytest.raises(PromptError):
        prefill(model, [], prefixes)
    assert prefixes.stats.reused == 0


def test_hundreds_of_prompts_stay_within_the_budget() -> None:
    prefixes: PrefixCache[int] = PrefixCache(block_size=16, block_bytes=1000, budget=64_000)
    for n in range(400):
        prefixes.store([n, *range(63)], lambda start, end: start)
    assert len(prefixes.blocks) == 64
    assert prefixes.lease([399, *range(63)]).length == 48
    assert prefixes.lease([0, *range(63)]).length == 0
