"""The line of measurements: one at a time, in order, and none for a page that has gone."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from explainer.kit import lab
from explainer.kit.lab import Lab, QueueFull, Run
from explainer.kit.measure import Job
from explainer.kit.process import MeasurementFailed, MeasurementLost
from kvengine import PromptError
from tests.timing.jobs import Made

Stopped = Callable[[], bool]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Here:
    """In place of a process: jobs run in the lab's own thread, one at a time or the test fails."""

    opened: list["Here"]

    def __init__(self) -> None:
        self.alive, self.alone, self.ran = True, threading.Semaphore(1), 0
        type(self).opened.append(self)

    def results(self, job: Job[Any], should_stop: Stopped) -> Iterator[Any]:
        assert self.alive
        assert self.alone.acquire(blocking=False), "two jobs at once"
        self.ran += 1
        try:
            for result in job.run(should_stop):
                yield result
                if should_stop():
                    return
        except MeasurementLost:
            self.alive = False
            raise
        finally:
            self.alone.release()

    def close(self) -> None:
        self.alive = False


class Changes(threading.Condition):
    """What a lab waits for; where no run comes, the time for one is over when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.over = False
        self.asked: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        if not self.over:
            super().wait(60)
        return not self.over


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> Iterator[Lab]:
    Here.opened = []
    opened = Lab(clock, Here)
    yield opened
    opened.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    for _ in range(20_000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("this did not come about")


def endless(stopped: Stopped) -> Iterator[int]:
    n = 0
    while not stopped():
        time.sleep(0.001)
        yield (n := n + 1)


def three(stopped: Stopped) -> Iterator[int]:
    yield from (1, 2, 3)


def test_a_run_ends_with_all_its_results(desk: Lab) -> None:
    run = desk.submit(Made(three))
    until(lambda: not run.active)
    assert (run.state, run.results) == ("done", [1, 2, 3])


def test_runs_go_one_at_a_time_and_know_their_place(desk: Lab) -> None:
    line = [desk.submit(Made(endless)) for _ in range(4)]
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
    assert line[1].results == line[3].results == []


def test_of_many_runs_sent_at_once_each_is_executed_once_and_in_order(desk: Lab) -> None:
    """Senders race with the end of each run, where a place in line could be lost or taken twice."""
    executed: list[int] = []
    sent: list[Run[Any]] = []
    order = threading.Lock()

    def send(many: int) -> None:
        for _ in range(many):
            with order:
                n = len(sent)
                sent.append(desk.submit(Made(lambda stopped, n=n: iter([executed.append(n)]))))  # type: ignore[misc]
            time.sleep(0.0005)

    threads = [threading.Thread(target=send, args=(8,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: not any(run.active for run in sent))
    assert executed == list(range(32))
    assert {run.state for run in sent} == {"done"}
    assert len(Here.opened) == 1


def test_stop_keeps_what_there_is(desk: Lab) -> None:
    run = desk.submit(Made(endless))
    until(lambda: len(run.results) > 3)
    run.stop()
    until(lambda: not run.active)
    assert run.state == "stopped"
    assert run.results == list(range(1, len(run.results) + 1))


def test_a_run_that_nobody_looks_at_is_stopped(desk: Lab, clock: Clock) -> None:
    run = desk.submit(Made(endless))
    until(lambda: run.state == "running")
    clock.now += lab.PATIENCE / 2
    run.look()
    clock.now += lab.PATIENCE * 0.9
    time.sleep(0.02)
    assert run.active
    clock.now += lab.PATIENCE / 2
    until(lambda: not run.active)
    assert run.state == "stopped"


def test_a_waiting_run_whose_page_has_gone_never_starts(desk: Lab, clock: Clock) -> None:
    first, second = desk.submit(Made(endless)), desk.submit(Made(three))
    until(lambda: first.state == "running")
    clock.now += lab.PATIENCE * 0.8
    first.look()
    clock.now += lab.PATIENCE * 0.8
    first.stop()
    until(lambda: not second.active)
    assert (second.state, second.results) == ("stopped", [])


def test_closed_pages_leave_the_line_while_others_wait_in_it(desk: Lab, clock: Clock) -> None:
    first = desk.submit(Made(endless))
    until(lambda: first.state == "running")
    left = [desk.submit(Made(three)) for _ in range(lab.MOST_WAITING)]
    clock.now += lab.PATIENCE * 0.8
    first.look()
    clock.now += lab.PATIENCE * 0.8
    mine = desk.submit(Made(three))
    assert desk.place(mine) == 1
    assert {run.state for run in left} == {"stopped"}
    first.stop()
    until(lambda: not mine.active)
    assert mine.state == "done"


def test_a_full_line_is_told(desk: Lab) -> None:
    first = desk.submit(Made(endless))
    until(lambda: first.state == "running")
    waiting = [desk.submit(Made(three)) for _ in range(lab.MOST_WAITING)]
    with pytest.raises(QueueFull, match="try again"):
        desk.submit(Made(three))
    waiting[7].stop()
    again = desk.submit(Made(three))
    assert desk.place(again) == lab.MOST_WAITING


def test_a_run_has_a_time_limit(desk: Lab, clock: Clock) -> None:
    run = desk.submit(Made(endless))
    until(lambda: run.state == "running")
    while clock.now <= lab.TIME_LIMIT:
        clock.now += 1
        run.look()
    until(lambda: not run.active)
    assert run.state == "out of time"


def test_a_refusal_of_the_engine_is_told_and_the_line_moves_on(desk: Lab) -> None:
    def refused(stopped: Stopped) -> Iterator[int]:
        yield 1
        raise PromptError("There is no token to run.")

    failed, after = desk.submit(Made(refused)), desk.submit(Made(three))
    until(lambda: not after.active)
    assert (failed.state, failed.error, failed.results) == ("failed", "There is no token to run.", [1])
    assert after.state == "done"


@pytest.mark.parametrize(
    "error", [MeasurementFailed("ZeroDivisionError: x", "in line 7"), ZeroDivisionError("in line 7")]
)
def test_an_unforeseen_error_is_logged_and_does_not_stop_the_line(
    desk: Lab, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(stopped: Stopped) -> Iterator[int]:
        raise error
        yield 1

    failed, after = desk.submit(Made(broken)), desk.submit(Made(three))
    until(lambda: not after.active)
    assert failed.state == "failed"
    assert failed.error.startswith("The measurement could not go on")
    assert "in line 7" in caplog.text
    assert (after.state, len(Here.opened)) == ("done", 1)


def test_the_run_after_a_crash_gets_a_new_process(desk: Lab) -> None:
    def crashed(stopped: Stopped) -> Iterator[int]:
        yield 1
        raise MeasurementLost("The measuring process ended unexpectedly (signal 11).")

    failed, after = desk.submit(Made(crashed)), desk.submit(Made(three))
    until(lambda: not after.active)
    assert (failed.state, failed.results) == ("failed", [1])
    assert failed.error == "The measuring process ended unexpectedly (signal 11)."
    assert (after.state, len(Here.opened)) == ("done", 2)


def test_a_process_that_cannot_be_started_is_a_sentence_and_tried_again(clock: Clock) -> None:
    tries = 0

    def start() -> Here:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise MeasurementLost("The measuring process could not be started.")
        return Here()

    Here.opened = []
    desk = Lab(clock, start)
    first, second = desk.submit(Made(three)), desk.submit(Made(three))
    until(lambda: not second.active)
    assert first.error == "The measuring process could not be started."
    assert second.state == "done"
    desk.close()


def test_the_process_is_kept_for_the_next_run_and_ends_when_none_comes(clock: Clock) -> None:
    Here.opened = []
    desk = Lab(clock, Here, idle=1.5)
    changes = desk._changed = Changes()
    for _ in range(3):
        run = desk.submit(Made(three))
        until(lambda run=run: not run.active)  # type: ignore[misc]
    (only,) = Here.opened
    assert only.ran == 3
    assert only.alive
    for _ in range(5):
        waits = len(changes.asked)
        desk.warm_up()  # a page was opened
        until(lambda waits=waits: len(changes.asked) > waits)  # type: ignore[misc]
    assert only.alive
    assert set(changes.asked) == {1.5}
    changes.over = True
    desk.warm_up()
    until(lambda: not only.alive)
    changes.over = False
    run = desk.submit(Made(three))
    until(lambda: not run.active)
    assert (run.state, len(Here.opened)) == ("done", 2)
    desk.close()
    assert not Here.opened[1].alive


def test_an_opened_page_starts_the_process_before_the_first_run(desk: Lab) -> None:
    desk.warm_up()
    until(lambda: len(Here.opened) == 1)
    assert Here.opened[0].ran == 0


def test_closing_stops_what_runs_and_what_waits(desk: Lab) -> None:
    running, waiting = desk.submit(Made(endless)), desk.submit(Made(three))
    until(lambda: running.state == "running")
    desk.close()
    assert (running.state, waiting.state) == ("stopped", "stopped")
    assert not Here.opened[0].alive
