import pytest
import streamlit.testing.v1.app_test
from streamlit.runtime.pages_manager import PagesManager


class _Navigated(PagesManager):
    """A server on which `st.navigation` has been called, as every server's is after its first run.

    AppTest forgets that before each run, and would take `pages/` for an app of streamlit's old kind.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        PagesManager.uses_pages_directory = False


@pytest.fixture(autouse=True)
def navigated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit.testing.v1.app_test, "PagesManager", _Navigated)
