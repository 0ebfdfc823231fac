"""Several servers share their rooms through a Redis, behind the nginx that ships; one of them is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.rooms.clients import POLL, Events, Teacher, ask, vote
from tests.test_deploy import nginx
from tools.server import ROOT, Server, free_port

CLASS = [f"student-{n:04}" for n in range(12)]


@pytest.fixture
def replicas(redis_url: str, tmp_path: Path) -> Iterator[list[Server]]:
    ports = [free_port(), free_port()]
    command = [sys.executable, "-m", "uvicorn", "tests.rooms.rooms_alone:app", "--port"]
    shared = {**os.environ, "ROOMS_URL": redis_url}
    log = tmp_path / "rooms.log"
    with log.open("wb") as sink:
        started = [
            subprocess.Popen([*command, str(port)], cwd=ROOT, env=shared, stdout=sink, stderr=sink)
            for port in ports
        ]
    try:
        yield [
            Server(f"http://127.0.0.1:{port}", log, process.pid)
            for port, process in zip(ports, started, strict=True)
        ]
        for process in started:
            process.terminate()  # connections that wait for events do not hold it up
            process.wait(90)
        assert "Traceback" not in log.read_text()
    finally:
        for process in started:
            process.kill()
            process.wait()


def is_up(server: Server) -> bool:
    for _ in range(1200):
        with suppress(OSError):
            if ask(server.url, "/_stcore/health")[0] == 200:
                return True
        time.sleep(0.05)
    return False


def test_when_a_replica_is_killed_in_the_middle_of_a_vote_no_answer_and_nobody_is_lost(
    replicas: list[Server], tmp_path: Path
) -> None:
    doomed, other = replicas
    assert is_up(doomed)
    assert is_up(other)
    teacher = Teacher(doomed.url)
    told = Events(other.url, teacher.code, secret=teacher.secret)
    # Half of the class is at each of the two.
    students = {who: Events(replicas[n % 2].url, teacher.code, device=who) for n, who in enumerate(CLASS)}
    told.until(lambda kind, data: data["joined"] == len(CLASS))
    teacher.show("walkthrough", POLL, stage="2")
    for student in students.values():
        student.until(lambda kind, data: data["poll"])
    for n, who in enumerate(CLASS[:8]):
        assert vote(replicas[n % 2].url, teacher.code, who, 0)[0] == 204
    told.until(lambda kind, data: data.get("counts") == [8, 0])

    os.kill(doomed.pid, signal.SIGKILL)
    with nginx(tmp_path, replicas) as url:
        for who in CLASS[::2]:
            with pytest.raises((EOFError, OSError, HTTPException)):
                students[who].until(lambda kind, data: False)
            # As a browser does that has lost its connection: it comes again, to whoever is there.
            students[who] = Events(url, teacher.code, device=who)
            shown = students[who].until(lambda kind, data: kind == "place")
            assert (shown["params"], shown["poll"]["id"]) == ({"stage": "2"}, "p1")
        for who in CLASS[8:]:
            assert vote(url, teacher.code, who, 1)[0] == 204
        told.until(lambda kind, data: data["joined"] == len(CLASS) and data.get("counts") == [8, 4])
        teacher.url = url
        assert teacher.show("walkthrough", POLL | {"phase": "truth"}, stage="3")[0] == 204
        for student in students.values():
            shown = student.until(lambda kind, data: data["poll"]["phase"] == "truth")
            assert shown["poll"]["counts"] == [8, 4]
