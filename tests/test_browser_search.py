"""tools/browser.py decides whether the browser tests can run at all."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import browser

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")

MakeCommand = Callable[[str, int], Path]


@pytest.fixture
def make_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeCommand:
    """Put a command in an otherwise empty PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)

    def make(name: str, status: int) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nexit {status}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


def test_a_stub_that_does_not_start_is_passed_over(make_command: MakeCommand) -> None:
    make_command("chromium", 1)
    chrome = make_command("google-chrome", 0)
    assert browser.find_browser() == chrome


def test_the_named_browser_comes_first(make_command: MakeCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    make_command("chromium", 0)
    mine = make_command("mine", 0)
    monkeypatch.setenv("CHROMIUM", str(mine))
    assert browser.find_browser() == mine


def test_a_wrong_name_is_reported_and_not_replaced(
    make_command: MakeCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_command("chromium", 0)
    monkeypatch.setenv("CHROMIUM", "/nowhere/chrome")
    with pytest.raises(browser.BrowserNotFound, match="/nowhere/chrome"):
        browser.ensure_browser()


def test_where_nothing_can_be_installed_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def fail(command: list[str]) -> bool:
        tried.append(" ".join(command))
        return False

    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browser, "_candidates", lambda: iter(()))
    monkeypatch.setattr(browser, "_runs", fail)
    with pytest.raises(browser.BrowserNotFound, match="install chromium"):
        browser.ensure_browser()
    assert tried[-1].endswith("-m playwright install chromium")
