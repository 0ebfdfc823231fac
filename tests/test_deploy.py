"""The files that an operator starts the app with: they say the same, and a killed replica loses nobody."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from explainer.kit.choice import LONGEST_PROMPT
from explainer.kit.shelf import Shelf
from explainer.public import Rules
from tests.waiting import PATIENCE_MS, answered, settles
from tools.server import ROOT, Server, free_port, serve

DEPLOY = ROOT / "deploy"


# ---- what the files say ----------------------------------------------------------------------------------


def test_the_containers_run_as_nobody_on_a_file_system_that_is_only_read() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert {"app1", "app2", "nginx"} <= services.keys()
    for service in services.values():
        assert service["read_only"] is True
        assert (service["cap_drop"], service["tmpfs"]) == (["ALL"], ["/tmp"])
    pod = _kubernetes("Deployment")["spec"]["template"]["spec"]
    app = pod["containers"][0]
    user = pod["securityContext"]["runAsUser"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert app["securityContext"]["readOnlyRootFilesystem"] is True
    assert f"USER {user}:{user}\n" in (ROOT / "Dockerfile").read_text()
    assert _kubernetes("Deployment")["spec"]["replicas"] == 2


def test_the_image_is_asked_for_its_health_where_it_listens() -> None:
    port = _kubernetes("Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"--server.port={port}" in dockerfile
    assert f"127.0.0.1:{port}/_stcore/health" in dockerfile
    assert f"server app1:{port}" in (DEPLOY / "nginx.conf").read_text()


def test_what_the_image_copies_is_there_and_is_let_in() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert all((ROOT / name).exists() for name in let_in)
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} <= let_in | {"."}


def test_the_operators_page_names_what_the_app_reads() -> None:
    told = (ROOT / "docs" / "operating.md").read_text()
    modules = (ROOT / "explainer" / "public.py", ROOT / "explainer" / "kit" / "cache.py")
    rules, walks = (set(re.findall(r'"(EXPLAINER_[A-Z]+)"', module.read_text())) for module in modules)
    assert (len(rules), len(walks)) == (len(fields(Rules)), 1)
    named = rules | walks
    assert {name for name in named if f"`{name}`" not in told} == set()
    for file in (DEPLOY / "compose.yaml", DEPLOY / "kubernetes.yaml"):
        assert set(re.findall(r"EXPLAINER_[A-Z]+", file.read_text())) <= named


def test_the_operators_page_tells_the_limits_as_they_are() -> None:
    row = re.compile(r"^\| .+ \| ([\d,]+) \| `([\w.]+)\.([A-Z_]+)` \|$", re.MULTILINE)
    told = row.findall((ROOT / "docs" / "operating.md").read_text())
    assert len(told) >= 12
    for number, module, name in told:
        limit = getattr(import_module(module), name)
        is_now = limit.budget // 2**20 if isinstance(limit, Shelf) else limit
        assert (name, int(number.replace(",", ""))) == (name, is_now)


def _kubernetes(kind: str) -> Any:
    return next(
        part for part in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()) if part["kind"] == kind
    )


# ---- two replicas ----------------------------------------------------------------------------------------


@contextmanager
def nginx(folder: Path, replicas: list[Server]) -> Iterator[str]:
    """The configuration that ships, in front of these replicas; only addresses and folders are put in."""
    command = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if command is None:
        pytest.fail("There is no nginx: install one (Debian: apt-get install nginx-light).", pytrace=False)
    port, text = free_port(), (DEPLOY / "nginx.conf").read_text()
    for number, replica in enumerate(replicas, 1):
        text = text.replace(f"app{number}:8501", urlsplit(replica.url).netloc)
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
    text = text.replace("/dev/stdout", f"{folder}/access.log").replace("worker_processes auto;", "")
    config = folder / "nginx.conf"
    config.write_text(text)
    process = subprocess.Popen(
        [command, "-c", config, "-e", folder / "error.log", "-g", "daemon off;"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(1200):
            if process.poll() is not None:
                pytest.fail((folder / "error.log").read_text(), pytrace=False)
            try:
                _get(f"http://127.0.0.1:{port}", "/_stcore/health")
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _get(url: str, path: str) -> tuple[int, str]:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=90)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _served_by(folder: Path) -> list[tuple[str, str]]:
    """The path and the replica of each request that nginx has logged."""
    lines = [line.split() for line in (folder / "access.log").read_text().splitlines()]
    return [(line[3], line[-1]) for line in lines]


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("replica") / "streamlit.log") as server:
        yield server


def test_when_a_replica_is_killed_the_next_step_goes_on_with_the_other(
    browser: Browser, app_server: Server, doomed: Server, tmp_path: Path
) -> None:
    first, other = urlsplit(doomed.url).netloc, urlsplit(app_server.url).netloc
    with nginx(tmp_path, [doomed, app_server]) as url:
        assert _get(url, f"/?prompt={quote('😀' * LONGEST_PROMPT)}")[0] == 200
        assert _get(url, "/_stcore/metrics")[0] == 404

        # A visitor whom their cookie leads to the first, and all of whose requests go there.
        for n in range(50):
            page = browser.new_context().new_page()
            page.set_default_timeout(PATIENCE_MS)
            path = f"/operands/weights/nobody/{n}"
            page.goto(f"{url}{path}")
            settles(lambda path=path: [] if path in dict(_served_by(tmp_path)) else ["it is not in the log"])
            if dict(_served_by(tmp_path))[path] == first:
                break
            page.context.close()
        cookie = next(c for c in page.context.cookies() if c["name"] == "kv_visitor")
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        before = len(_served_by(tmp_path))
        page.goto(f"{url}/walkthrough")
        _ready(page)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page).to_have_url(re.compile("stage=3"))
        assert {replica for _, replica in _served_by(tmp_path)[before:]} == {first}

        # And a class: it follows, and answers.
        page.get_by_role("button", name="Class").click()
        page.get_by_role("button", name="Open a room").click()
        expect(page.locator(".room .code")).to_have_text(re.compile(r"\w{6}"))
        student = page.context.new_page()
        student.set_default_timeout(PATIENCE_MS)
        student.goto(f"{url}/?room={page.locator('.room .code').inner_text()}")
        expect(student.locator(".told .over")).to_contain_text("Stage 3 of 5")
        page.keyboard.press("Escape")
        expect(page.locator(".room .code")).to_be_hidden()
        page.keyboard.press("ArrowRight")
        student.locator(".poll .option").first.click()
        expect(page.locator(".poll .counted")).to_have_text("1 of 1 answered")

        with page.expect_websocket():
            os.kill(doomed.pid, signal.SIGKILL)
        # The other server knows nothing of the room: the teacher's page gives it back, the answer arrives.
        with student.expect_response(lambda answer: answer.url.endswith("/vote") and answer.ok):
            student.locator(".poll .option").nth(1).click()
        page.keyboard.press("ArrowRight")
        expect(student.locator(".poll .votes").nth(1)).to_have_text("1")
        page.keyboard.press("ArrowRight")
        for one in (page, student):
            expect(one).to_have_url(re.compile("stage=4"))
        student.close()
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-connection-state", "CONNECTED")
        answered(page)  # the other has drawn the page
        # What Python has to answer.
        page.get_by_role("button", name="Change prompt or model").click()
        field = page.get_by_label("Prompt", exact=True)
        field.fill("Once upon a time")
        field.press("Enter")
        expect(page.locator("[data-row='4']").first).to_contain_text("time")
        expect(page).to_have_url(re.compile("prompt=Once"))
        page.context.close()
        served = _served_by(tmp_path)
        assert served[-1][1].endswith(other)
        assert ("/walkthrough", first) in served  # and nothing of what stands behind a question mark


def _ready(page: Page) -> None:
    expect(page.locator("[data-row='3']").first).to_be_visible()
