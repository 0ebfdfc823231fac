import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect
from streamlit.testing.v1 import AppTest

from tests.waiting import PATIENCE_MS
from tools.browser import find_browser, launch_args
from tools.server import ROOT, Server, serve

# Before anything imports kvengine: from here on its shape annotations are checked at every call.
install_import_hook("kvengine", "beartype.beartype")

# transformers looks things up on its hub unless told otherwise.
os.environ["HF_HUB_OFFLINE"] = "1"

# A busy machine must not fail a property, and its examples are the same every time: who looks for others says
# --hypothesis-profile=search.
for name, derandomize in (("here", True), ("search", False)):
    settings.register_profile(
        name, deadline=None, derandomize=derandomize, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("here")

_server = pytest.StashKey[Server]()


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Server]:
    """The app, served for the whole run. An exception that it logs, at any time, fails the run."""
    with serve(tmp_path_factory.mktemp("server") / "streamlit.log") as server:
        pytestconfig.stash[_server] = server
        yield server
    if "Traceback" in server.log_text():
        pytest.fail("The app's server logged an exception.", pytrace=False)


@pytest.fixture(scope="session")
def app_url(app_server: Server) -> str:
    return app_server.url


def pytest_itemcollected(item: pytest.Item) -> None:
    """Every test that asks for a browser can be chosen, and left out, by its mark."""
    if "browser" in getattr(item, "fixturenames", ()):
        item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test that used the served app shows the server's log."""
    report = yield
    if report.failed and "app_server" in getattr(item, "fixturenames", ()) and _server in item.config.stash:
        report.sections.append(("The app server's log", item.config.stash[_server].log_text()))
    return report


# ---- a page without a browser ----------------------------------------------------------------------------


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """open_page("timing", prompt="…") -> the page, run once with these parameters in its address."""

    def opened(page: str = "walkthrough", **params: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "explainer" / "frame.py"), default_timeout=180)
        if page != "start":
            app.run()
            app.switch_page(str(ROOT / "pages" / f"{page}.py"))
        for name, value in params.items():
            app.query_params[name] = value
        return app.run()

    return opened


# ---- a page in a browser ---------------------------------------------------------------------------------

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """This machine's browser. Where there is none this raises: a browser test is never skipped."""
    return {**browser_type_launch_args, "executable_path": str(find_browser()), "args": launch_args()}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}}


#: A page that asks for what its headers forbid is told so, where the browser itself would keep silent too.
TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", (e) =>
  console.error(`forbidden by ${e.violatedDirective}: ${e.blockedURI}`))"""


class Tab:
    """One tab for all tests: to load the app where it was before costs half of what it costs in a new tab."""

    def __init__(self, browser: Browser, context_args: dict[str, Any], url: str) -> None:
        self._opened: Page | None = None
        self._browser, self._context_args, self._url = browser, context_args, url

    def _forget(self, _crashed: Page) -> None:
        self._opened = None

    def as_new(self) -> Page:
        """The tab, in which nothing is left of the test before."""
        page = self._opened
        if page is None or page.is_closed():
            page = self._opened = self._browser.new_context(**self._context_args).new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.add_init_script(TELL_VIOLATIONS)
            page.on("crash", self._forget)
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.unroute_all()
        page.context.clear_permissions()
        page.context.clear_cookies()
        page.goto(f"{self._url}/_stcore/health")  # a page of the app's that is almost none
        page.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
        page.emulate_media(
            media="null", color_scheme="light", reduced_motion="no-preference", forced_colors="none"
        )
        page.set_viewport_size(self._context_args["viewport"])
        page.mouse.move(0, 0)
        return page


@pytest.fixture(scope="session")
def tab(browser: Browser, browser_context_args: dict[str, Any], app_url: str) -> Tab:
    return Tab(browser, browser_context_args, app_url)


@pytest.fixture
def page(tab: Tab, app_server: Server) -> Iterator[Page]:
    """A page that fails its test when the console or the server has an error."""
    page = tab.as_new()
    problems: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # Below a page's own path Streamlit looks for itself first, in vain.
        url = message.location.get("url", "")
        if message.type == "error" and not url.endswith(("/_stcore/health", "/_stcore/host-config")):
            problems.append(f"console: {message.text} ({url})")

    def on_error(error: Error) -> None:
        problems.append(f"uncaught: {error}")

    page.on("console", on_console)
    page.on("pageerror", on_error)
    logged_before = len(app_server.log_text())
    yield page
    page.remove_listener("console", on_console)
    page.remove_listener("pageerror", on_error)
    if "Traceback" in app_server.log_text()[logged_before:]:
        problems.append("server: it logged an exception")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], list[str]]:
    """axe(page) -> the page's violations of serious or critical level, a line each.

    What is new on a page fades in, and is too pale for a moment: a violation is one that stays.
    """
    engine = Axe()

    def violations(page: Page) -> list[str]:
        return [
            f"{found['impact']} {found['id']}: {found['help']}: {node['html'][:200]}"
            for found in engine.run(page).response["violations"]
            if found["impact"] in ("serious", "critical")
            for node in found["nodes"]
        ]

    def lasting(page: Page) -> list[str]:
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while (found := violations(page)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    return lasting
