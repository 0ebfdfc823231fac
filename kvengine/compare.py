"""Cell by cell: what of a pass came out as in the pass before it."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

#: Two cells are equal when they differ by no more than this, plus as much of their value: float32 rounding.
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
        return int((self.state == state).sum())

    @property
    def compared(self) -> int:
        """Cells that both passes have, masked ones left out."""
        return self.count(State.EQUAL) + self.count(State.DIFFERENT)


def compare(was: np.ndarray, now: np.ndarray, *, masked: np.ndarray) -> Compared:
    """Hold the cells of two passes against each other; `now` has a row more, and may have a column more."""
    state = np.full(now.shape, State.NEW, dtype=np.uint8)
    both = tuple(slice(n) for n in was.shape)
    equal = np.isclose(now[both], was, rtol=TOLERANCE, atol=TOLERANCE)
    state[both] = np.where(equal, State.EQUAL, State.DIFFERENT)
    state[masked] = State.MASKED
    hidden = (state[both] == State.MASKED) | np.isneginf(was)
    difference = np.abs(np.where(hidden, 0, now[both]) - np.where(hidden, 0, was))
    where = np.unravel_index(int(difference.argmax()), difference.shape)
    return Compared(was, now, state, float(difference.max()), tuple(int(i) for i in where))
