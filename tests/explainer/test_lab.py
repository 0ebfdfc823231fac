"""The line of measurements: one at a time, in order, and none for a page that has gone."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from explainer import lab
from explainer.lab import Lab, QueueFull, Run
from kvengine import PromptError

Stopped = Callable[[], bool]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread, at most ten seconds."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("this did not come about")


def endless(stopped: Stopped) -> Iterator[int]:
    n = 0
    while True:
        time.sleep(0.001)
        yield (n := n + 1)


def three(stopped: Stopped) -> Iterator[int]:
    yield from (1, 2, 3)


def test_a_run_ends_with_all_its_results() -> None:
    run = Lab(Clock()).submit(three)
    until(lambda: not run.active)
    assert (run.state, run.results) == ("done", [1, 2, 3])


def test_runs_go_one_at_a_time_and_know_their_place() -> None:
    line, clock = [], Clock()
    desk = Lab(clock)
    running = threading.Semaphore(1)

    def alone(stopped: Stopped) -> Iterator[int]:
        assert running.acquire(blocking=False)
        yield 1
        while not stopped():
            time.sleep(0.001)
        running.release()

    line = [desk.submit(alone) for _ in range(4)]
    until(lambda: line[0].state == "running")
    assert [desk.place(run) for run in line] == [0, 1, 2, 3]
    line[1].stop()
    assert [desk.place(run) for run in line] == [0, 0, 1, 2]
    line[0].stop()
    until(lambda: line[2].state == "running")
    assert line[0].state == line[1].state == "stopped"
    assert [desk.place(run) for run in line] == [0, 0, 0, 1]
    for run in line:
        run.stop()
    until(lambda: not any(run.active for run in line))
    assert line[2].results == [1]


def test_stop_keeps_what_there_is() -> None:
    run = Lab(Clock()).submit(endless)
    until(lambda: len(run.results) > 3)
    run.stop()
    until(lambda: not run.active)
    assert run.state == "stopped"
    assert run.results == list(range(1, len(run.results) + 1))


def test_a_run_that_nobody_looks_at_is_stopped() -> None:
    clock = Clock()
    run = Lab(clock).submit(endless)
    until(lambda: run.state == "running")
    clock.now += lab.PATIENCE / 2
    run.look()
    clock.now += lab.PATIENCE * 0.9
    time.sleep(0.02)
    assert run.active
    clock.now += lab.PATIENCE / 2
    until(lambda: not run.active)
    assert run.state == "stopped"


def test_a_waiting_run_whose_page_has_gone_never_starts() -> None:
    clock = Clock()
    desk = Lab(clock)
    first, second = desk.submit(endless), desk.submit(three)
    until(lambda: first.state == "running")
    clock.now += lab.PATIENCE * 0.8
    first.look()
    clock.now += lab.PATIENCE * 0.8
    first.stop()
    until(lambda: not second.active)
    assert (second.state, second.results) == ("stopped", [])


def test_a_run_has_a_time_limit() -> None:
    clock = Clock()
    run = Lab(clock).submit(endless)
    until(lambda: run.state == "running")
    while clock.now <= lab.TIME_LIMIT:
        clock.now += 1
        run.look()
    until(lambda: not run.active)
    assert run.state == "out of time"


def test_a_refusal_of_the_engine_is_told_and_the_line_moves_on() -> None:
    def refused(stopped: Stopped) -> Iterator[int]:
        yield 1
        raise PromptError("There is no token to run.")

    desk = Lab(Clock())
    failed: Run[int] = desk.submit(refused)
    after = desk.submit(three)
    until(lambda: not after.active)
    assert (failed.state, failed.error, failed.results) == ("failed", "There is no token to run.", [1])
    assert after.state == "done"


def test_an_unforeseen_error_does_not_stop_the_line(caplog: pytest.LogCaptureFixture) -> None:
    def broken(stopped: Stopped) -> Iterator[int]:
        raise ZeroDivisionError("no")
        yield 1

    desk = Lab(Clock())
    failed, after = desk.submit(broken), desk.submit(three)
    until(lambda: not after.active)
    assert failed.state == "failed"
    assert "could not go on" in failed.error
    assert "a measurement failed" in caplog.text
    assert after.state == "done"


def test_the_line_is_bounded() -> None:
    desk = Lab(Clock())
    running = desk.submit(endless)
    waiting = [desk.submit(three) for _ in range(lab.MOST_WAITING)]
    with pytest.raises(QueueFull, match="try again"):
        desk.submit(three)
    waiting[0].stop()
    desk.submit(three).stop()
    for run in [*waiting, running]:
        run.stop()
    until(lambda: not running.active)
