"""Runs the tests in browser/ in a real Chromium, each in a page of its own."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from os import PathLike
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HELPERS = {"harness", "stepping"}
FILES = sorted(path for path in (HERE / "browser").glob("*.js") if path.stem not in HELPERS)
TESTS = {path: re.findall(r'^test\(\s*"([^"]+)"', path.read_text(encoding="utf-8"), re.M) for path in FILES}

_RUN = """async ([file, name, expected]) => {
    await import(file);
    const harness = await import("/tests/web/browser/harness.js");
    if (String(harness.names()) !== String(expected)) throw new Error("pytest did not find every test");
    await harness.run(name);
}"""


class Files(SimpleHTTPRequestHandler):
    """The repository's files. `explainer/example/` is a scene that is there for the tests alone."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.replace("/explainer/example/", "/tests/web/browser/example/"))

    def guess_type(self, path: str | PathLike[str]) -> str:
        # Some systems think that JavaScript is plain text, and no browser runs that as a module.
        return "text/javascript" if str(path).endswith(".js") else super().guess_type(path)

    def do_GET(self) -> None:
        if self.path.partition("?")[0] in ("/", "/favicon.ico"):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Tests</title><body></body>")
        else:
            super().do_GET()

    def end_headers(self) -> None:
        # Each test has a page of its own, and the same modules.
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def files_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=ROOT)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    with browser.new_page(viewport={"width": 1000, "height": 700}) as page:
        yield page


def test_every_file_has_tests() -> None:
    assert FILES
    assert not [path.name for path, names in TESTS.items() if not names]


@pytest.mark.parametrize(
    ("file", "name"),
    [pytest.param(path, name, id=f"{path.stem}: {name}") for path, names in TESTS.items() for name in names],
)
def test_in_browser(window: Page, files_url: str, file: Path, name: str) -> None:
    problems: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            problems.append(f"console: {message.text}")

    def on_error(error: Error) -> None:
        problems.append(f"uncaught: {error}")

    window.goto(files_url)
    window.on("console", on_console)
    window.on("pageerror", on_error)
    try:
        window.evaluate(_RUN, [f"/{file.relative_to(ROOT).as_posix()}", name, TESTS[file]])
    except Error as error:
        problems.insert(0, str(error))
    finally:
        window.remove_listener("console", on_console)
        window.remove_listener("pageerror", on_error)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
