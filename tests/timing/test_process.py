"""The measuring process: what it gives back, how it stops, and that nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from explainer.kit import process
from explainer.kit.lab import Lab, Run
from explainer.kit.measure import Setting
from explainer.kit.process import MeasurementFailed, MeasurementLost, Measuring
from explainer.timing.measure import Agree, Race, Sweep
from kvengine import PromptError, available_models, generate, load_model
from kvengine.race import TimedStep
from kvengine.timing import CACHED, Agreement, Row
from tests.timing.jobs import Break, Count, Crash, Deaf, Loud, Refuse, Tell

ROOT = Path(__file__).resolve().parents[2]


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def measuring() -> Iterator[Measuring]:
    opened = Measuring()
    yield opened
    opened.close()


@pytest.fixture
def mortal() -> Iterator[Measuring]:
    """A process of the test's own, which it may kill."""
    opened = Measuring()
    yield opened
    opened.close()


def setting(threads: int = 1) -> Setting:
    card = next(card for card in available_models() if card.name == "stories-1m-h8-kv2")
    return Setting(card.name, card.config, (0, 400, 12, 33, 7), "cpu", "float32", threads)


def gone(pid: int) -> bool:
    """Neither running nor waiting to be reaped."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return state == "Z" and parent == "1"


def soon(condition: Callable[[], bool], seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ---- what comes back -------------------------------------------------------------------------------------


def test_results_come_back_as_they_were_made(measuring: Measuring) -> None:
    steps = list(measuring.results(Race(setting(), 5), never))
    assert all(type(step) is TimedStep for step in steps)
    expected = generate(load_model(setting().name), setting().prompt_ids, max_new_tokens=5, use_cache=True)
    assert [s.token_id for s in steps if s.path == CACHED] == [s.token_id for s in expected]
    rows = list(measuring.results(Sweep(setting(), 4, with_cat=True), never))
    assert [(type(row), row.length) for row in rows] == [(Row, n) for n in (1, 2, 4)]
    (found,) = measuring.results(Agree(setting(), ("float64",), 3), never)
    assert type(found) is Agreement
    assert found.same_tokens == 3


def test_one_process_serves_many_runs_and_has_nothing_of_the_server_in_it(measuring: Measuring) -> None:
    first, second = (list(measuring.results(Tell(), never)) for _ in range(2))
    assert first[0] == second[0] == measuring.pid != os.getpid()
    assert first[1] == []


def test_threads_are_set_there_and_not_here(measuring: Measuring) -> None:
    here = torch.get_num_threads()
    seen = []
    for step in measuring.results(Race(setting(threads=here + 1), 3), never):
        seen.append((step.path, torch.get_num_threads()))
    assert {threads for _, threads in seen} == {here}
    assert len(seen) == 6


def test_what_a_job_prints_is_no_answer(measuring: Measuring) -> None:
    assert list(measuring.results(Loud(), never)) == ["answer"]
    assert list(measuring.results(Count(to=3), never)) == [1, 2, 3]


# ---- how it stops ----------------------------------------------------------------------------------------


def test_a_stop_is_heard_between_two_steps_and_the_process_lives_on(
    measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE", 90)  # on a busy machine it may hear late
    pid, got = measuring.pid, []
    for n in measuring.results(Count(), lambda: len(got) >= 5):
        got.append(n)
    assert got[:5] == [1, 2, 3, 4, 5]
    assert measuring.alive
    assert pid in list(measuring.results(Tell(), never))


def test_a_run_is_not_ended_by_a_stop_that_was_meant_for_the_one_before(
    measuring: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE", 90)
    for _ in range(20):
        list(measuring.results(Count(to=1, every=0), lambda: True))
        assert list(measuring.results(Count(to=3, every=0), never)) == [1, 2, 3]


def test_a_run_that_does_not_hear_is_killed_and_leaves_no_zombie(
    mortal: Measuring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    told: list[bool] = []
    results = mortal.results(Deaf(), lambda: bool(told))
    pid = next(results)
    told.append(True)
    began = time.monotonic()
    assert list(results) == []
    assert time.monotonic() - began < 90  # it would have gone on for a thousand
    assert not mortal.alive
    assert soon(lambda: gone(pid))


def test_a_run_that_is_abandoned_takes_its_process_along(mortal: Measuring) -> None:
    next(mortal.results(Count(), never))
    assert not mortal.alive


def test_a_crash_is_a_sentence(mortal: Measuring) -> None:
    results = mortal.results(Crash(), never)
    pid = next(results)
    with pytest.raises(MeasurementLost, match=r"ended unexpectedly \(exit code 3\)"):
        next(results)
    assert not mortal.alive
    assert gone(pid)


def test_a_process_that_was_killed_is_a_sentence(mortal: Measuring) -> None:
    results = mortal.results(Count(), never)
    next(results)
    os.kill(mortal.pid, signal.SIGKILL)
    with pytest.raises(MeasurementLost, match=r"signal 9"):
        list(results)


def test_a_dead_process_says_so_at_the_next_job(mortal: Measuring) -> None:
    mortal.close()
    with pytest.raises(MeasurementLost):
        list(mortal.results(Count(to=1), never))


def test_a_refusal_of_the_engine_comes_back_as_itself(measuring: Measuring) -> None:
    results = measuring.results(Refuse(), never)
    assert next(results) == 1
    with pytest.raises(PromptError, match="There is no token to run"):
        next(results)
    assert measuring.alive


def test_any_other_error_comes_back_with_its_traceback(measuring: Measuring) -> None:
    results = measuring.results(Break(), never)
    assert next(results) == 1
    with pytest.raises(MeasurementFailed, match="ZeroDivisionError: out of coffee") as failed:
        next(results)
    assert "jobs.py" in failed.value.details
    assert measuring.alive


# ---- nothing stays behind --------------------------------------------------------------------------------


def test_closing_ends_the_process(mortal: Measuring) -> None:
    list(mortal.results(Count(to=1), never))
    mortal.close()
    assert gone(mortal.pid)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "measuring"])
def test_the_process_ends_with_the_server_even_if_that_is_killed(busy: bool) -> None:
    program = (
        "import sys, time; from explainer.kit.process import Measuring;"
        "from tests.timing.jobs import Count, Deaf;"
        "m = Measuring();"
        f"r = m.results({'Deaf()' if busy else 'Count(to=1)'}, lambda: False);"
        "next(r); print(m.pid, flush=True); time.sleep(1000)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        assert not gone(pid)
        server.kill()
        server.wait()
        assert soon(lambda: gone(pid))


def test_a_ctrl_c_in_the_terminal_is_not_for_the_process(mortal: Measuring) -> None:
    results = mortal.results(Count(to=40), never)
    next(results)
    os.kill(mortal.pid, signal.SIGINT)
    assert len(list(results)) == 39
    assert mortal.alive


# ---- and the line before it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Iterator[Lab]:
    opened = Lab()
    yield opened
    opened.close()


def looked_at(*runs: Run[Any]) -> None:
    """Look at all of them until they are over: one that nobody looks at for a while leaves the line."""

    def over() -> bool:
        for run in runs:
            run.look()
        return not any(run.active for run in runs)

    assert soon(over)


def test_runs_share_a_process_until_one_crashes(real: Lab) -> None:
    told, crashed, after = (real.submit(job) for job in (Tell(), Crash(), Tell()))
    looked_at(told, crashed, after)
    assert (told.state, crashed.state, after.state) == ("done", "failed", "done")
    assert told.results[0] == crashed.results[0] != after.results[0]
    assert crashed.error == "The measuring process ended unexpectedly (exit code 3)."


def test_a_stop_really_stops_even_a_job_that_does_not_listen(real: Lab) -> None:
    listens, deaf = real.submit(Count()), real.submit(Deaf())
    assert soon(lambda: bool(listens.look() or deaf.look() or listens.results))
    listens.stop()
    assert soon(lambda: bool(deaf.look() or deaf.results))
    assert listens.state == "stopped"
    deaf.stop()
    began = time.monotonic()
    looked_at(deaf)
    assert time.monotonic() - began < 90
    assert deaf.state == "stopped"
    after = real.submit(Tell())
    looked_at(after)
    assert after.state == "done"
    assert after.results[0] != deaf.results[0]
