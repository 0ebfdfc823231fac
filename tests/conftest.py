import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tools.server import Server, serve

# Before anything imports kvengine: from here on its shape annotations are checked at every call.
install_import_hook("kvengine", "beartype.beartype")

# transformers looks things up on its hub unless told otherwise.
os.environ["HF_HUB_OFFLINE"] = "1"

# A busy machine must not fail a property; in CI the examples are the same every time.
settings.register_profile(
    "here",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test that used the served app shows the server's log."""
    report = yield
    if report.failed and "app_server" in getattr(item, "fixturenames", ()) and _server in item.config.stash:
        report.sections.append(("The app server's log", item.config.stash[_server].log_text()))
    return report
