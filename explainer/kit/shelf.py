"""Results that visitors share, kept within a budget of bytes."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from explainer.kit.turn import aside


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)


class Shelf(Generic[K, V]):
    """Least recently used goes first when all together are larger than `budget` bytes.

    What is asked for by several threads at once is made once. A result may grow while it stands here: its
    size is asked for anew each time.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._making: dict[K, threading.Lock] = {}

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The result under `key`, made now if it is not there. What `make` raises is raised."""
        found = self.peek(key)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            if not making.acquire(blocking=False):
                with aside():
                    making.acquire()
            try:
                found = self.peek(key)
                if found is None:
                    found = make()
                    with self._lock:
                        self._kept[key] = found
                        self._shrink()
            finally:
                making.release()
            return found
        finally:
            with self._lock:
                self._making.pop(key, None)

    def peek(self, key: K) -> V | None:
        """The result under `key` if it is there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()

    def _shrink(self) -> None:
        sizes = {key: value.nbytes for key, value in self._kept.items()}
        total = sum(sizes.values())
        for key in list(self._kept)[:-1]:  # the newest stays, however large
            if total <= self.budget:
                return
            total -= sizes[key]
            del self._kept[key]

    @property
    def nbytes(self) -> int:
        """What all results take now."""
        with self._lock:
            return sum(value.nbytes for value in self._kept.values())
