import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.rooms.clients import OPENED
from tests.waiting import PATIENCE_MS
from tools.server import free_port


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """No test leaves a connection open."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of the tests' own that writes to no disk. Where there is none the test fails."""
    command = shutil.which("redis-server")
    if command is None:
        pytest.fail(
            "There is no redis-server: install one (Debian: apt-get install redis-server).", pytrace=False
        )
    port = free_port()
    log = tmp_path_factory.mktemp("redis") / "redis.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [command, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                how = "is not up" if process.returncode is None else f"ended with {process.returncode}"
                said = log.read_text(encoding="utf-8", errors="replace").strip() or "nothing"
                pytest.fail(f"{command} {how}; it said:\n{said}", pytrace=False)
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
