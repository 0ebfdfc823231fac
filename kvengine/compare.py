"""Cell by cell: what of a pass came out as in the pass before it."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

#: Two cells are equal when they differ by no more than this, plus as much of the largest number in their row:
#: float32 rounding. A cell is a sum of products, and what those lose grows with them, not with what is left
#: when they have cancelled out; real models have rows with numbers of several thousand among small ones.
TOLERANCE = 1e-5


class State(IntEnum):
    """What the comparison found of one cell of the second pass."""

    NEW = 0  # the step before had no such cell
    EQUAL = 1  # it came out as before, within TOLERANCE
    DIFFERENT = 2  # it was there before, and came out differently
    MASKED = 3


@dataclass(frozen=True)
class Compared:
    """One tensor of both passes, the batch axis dropped: [rows, cols] or [heads, rows, cols]."""

    was: np.ndarray
    now: np.ndarray
    state: np.ndarray  # of State, in the shape of `now`
    largest: float  # difference of a cell that both passes have
    where: tuple[int, ...]  # its index

    def count(self, state: State) -> int:
        """How many cells are in that state."""
        return self._counts[state]

    @cached_property
    def _counts(self) -> list[int]:
        counts: list[int] = np.bincount(self.state.ravel(), minlength=len(State)).tolist()
        return counts

    @property
    def compared(self) -> int:
        """Cells that both passes have, masked ones left out."""
        return self.count(State.EQUAL) + self.count(State.DIFFERENT)


def agree(now: np.ndarray, was: np.ndarray) -> np.ndarray:
    """Cell by cell: equal but for rounding. A row is the last axis; minus infinity is equal to itself."""
    largest = np.abs(np.where(np.isneginf(was), 0, was)).max(axis=-1, keepdims=True, initial=0)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        equal: np.ndarray = np.less_equal(np.abs(now - was), TOLERANCE * (1 + largest)) | (now == was)
    return equal


def compare(was: np.ndarray, now: np.ndarray, *, masked: np.ndarray) -> Compared:
    """Hold the cells of two passes against each other; `now` has a row more, and may have a column more."""
    state = np.full(now.shape, State.NEW, dtype=np.uint8)
    both = tuple(slice(n) for n in was.shape)
    equal = agree(now[both], was)
    state[both] = np.where(equal, State.EQUAL, State.DIFFERENT)
    state[masked] = State.MASKED
    hidden = (state[both] == State.MASKED) | np.isneginf(was)
    difference = np.abs(np.where(hidden, 0, now[both]) - np.where(hidden, 0, was))
    where = np.unravel_index(int(difference.argmax()), difference.shape)
    return Compared(was, now, state, float(difference.max()), tuple(int(i) for i in where))
