"""Shared results within a budget of bytes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explainer.kit.shelf import Shelf


@dataclass
class Thing:
    nbytes: int


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=60), st.integers(1, 200))
def test_the_newest_stay_within_the_budget(asked: list[tuple[int, int]], budget: int) -> None:
    shelf: Shelf[int, Thing] = Shelf(budget)
    order: list[int] = []
    sizes: dict[int, int] = {}
    for key, size in asked:
        if key not in order:
            sizes[key] = size
        found = shelf.get(key, lambda size=size: Thing(size))  # type: ignore[misc]
        order = [k for k in order if k != key] + [key]
        while len(order) > 1 and sum(sizes[k] for k in order) > budget:
            order.pop(0)
        assert found.nbytes == sizes[key]
        assert [k for k in range(10) if shelf.peek(k) is not None and k not in order] == []
        # peek counts as use: put the order right again
        for k in order:
            assert shelf.peek(k) is not None
        assert shelf.nbytes == sum(sizes[k] for k in order)


def test_what_grows_makes_room_for_the_next() -> None:
    shelf: Shelf[str, Thing] = Shelf(100)
    first = shelf.get("first", lambda: Thing(10))
    first.nbytes = 95
    shelf.get("second", lambda: Thing(20))
    assert shelf.peek("first") is None
    assert shelf.peek("second") is not None


def test_several_threads_make_it_once() -> None:
    shelf: Shelf[str, Thing] = Shelf(100)
    made = []
    together = threading.Barrier(8)

    def make() -> Thing:
        made.append(1)
        return Thing(1)

    def ask(_: int) -> Thing:
        together.wait(60)
        return shelf.get("one", make)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert len(made) == 1
    assert all(thing is found[0] for thing in found)


def test_what_cannot_be_made_is_tried_again_and_leaves_nothing() -> None:
    shelf: Shelf[str, Thing] = Shelf(100)

    def fail() -> Thing:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            shelf.get("one", fail)
        assert not shelf._making
    assert shelf.get("one", lambda: Thing(3)).nbytes == 3
