"""Measured rows of a test's own."""

from kvengine.timing import CACHED, NAIVE, Point, Row


def row(length: int, cached: float, naive: float, spread: float = 0.0) -> Row:
    points = {
        path: Point(path, length, seconds * (1 - spread), seconds, seconds * (1 + spread), 5)
        for path, seconds in ((CACHED, cached), (NAIVE, naive))
    }
    return Row(length, points, same_token=True, difference=0.0)
