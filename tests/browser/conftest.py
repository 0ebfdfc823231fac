from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, expect

from tools.browser import find_browser, launch_args
from tools.server import Server

# The first page of a run waits for the server to import torch, on a machine that may be busy.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """This machine's browser. Where there is none this raises: a browser test is never skipped."""
    return {**browser_type_launch_args, "executable_path": str(find_browser()), "args": launch_args()}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}}


@pytest.fixture
def page(page: Page, app_server: Server) -> Iterator[Page]:
    """pytest-playwright's page, which fails its test when the console or the server has an error."""
    problems: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
    logged_before = len(app_server.log_text())
    yield page
    if "Traceback" in app_server.log_text()[logged_before:]:
        problems.append("server: it logged an exception")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """axe(page) -> the page's violations of serious or critical level, a line each."""
    engine = Axe()

    def violations(page: Page) -> list[str]:
        return [
            f"{found['impact']} {found['id']}: {found['help']}: {node['html'][:200]}"
            for found in engine.run(page).response["violations"]
            if found["impact"] in ("serious", "critical")
            for node in found["nodes"]
        ]

    return violations
