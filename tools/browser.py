"""The Chromium that tests and benchmarks drive. `python -m tools.browser` makes sure there is one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""

# No background traffic, and no name but loopback's resolves: a page that needs the internet shows it.
LAUNCH_ARGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
)


class BrowserNotFound(RuntimeError):
    """Says what to install."""


def find_browser() -> Path:
    """The first Chromium or Chrome here that starts; $CHROMIUM, where it is set, and no other."""
    named = os.environ.get("CHROMIUM")
    if named:
        path = shutil.which(named)
        if path and _starts(Path(path)):
            return Path(path)
        raise BrowserNotFound(
            f"CHROMIUM is set to {named}, which is no browser that starts: correct it, or unset it."
        )
    for candidate in _candidates():
        if _starts(candidate):
            return candidate
    raise BrowserNotFound(
        "No Chromium or Chrome was found: install one (Debian: apt-get install chromium; "
        "elsewhere: python -m playwright install chromium), or set CHROMIUM to its path."
    )


def launch_args() -> list[str]:
    """Chromium's sandbox refuses to start as root."""
    return [*LAUNCH_ARGS, "--no-sandbox"] if _is_root() else [*LAUNCH_ARGS]


def ensure_browser() -> Path:
    """Find a browser, or install one: Debian's package when root, else Playwright's download."""
    try:
        return find_browser()
    except BrowserNotFound:
        if os.environ.get("CHROMIUM"):
            raise
    print("No Chromium or Chrome was found; installing one ...", file=sys.stderr, flush=True)
    if not (_is_root() and Path("/etc/debian_version").exists() and _install_debian_package()):
        _runs([sys.executable, "-m", "playwright", "install", "chromium"])
    return find_browser()


def switch(page: "Page", group: str, title: str) -> None:
    """Open another page of the app from a menu of the bar at the top, within the session."""
    bar = page.get_by_role("navigation", name="Pages")
    bar.get_by_role("button", name=group).click(timeout=60_000)
    bar.get_by_role("link", name=title).click()


def _candidates() -> Iterator[Path]:
    """From the cheapest to ask to the dearest."""
    yield from (Path(path) for path in map(shutil.which, COMMANDS) if path)
    for applications in (Path("/Applications"), Path.home() / "Applications"):
        yield applications / "Google Chrome.app/Contents/MacOS/Google Chrome"
        yield applications / "Chromium.app/Contents/MacOS/Chromium"
    for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
        if folder := os.environ.get(variable):
            yield Path(folder) / "Google/Chrome/Application/chrome.exe"
            yield Path(folder) / "Chromium/Application/chrome.exe"
    # In a process of its own: Playwright's sync API can't be entered twice, and tests are already in it.
    answer = subprocess.run(
        [sys.executable, "-c", ASK_PLAYWRIGHT], capture_output=True, text=True, check=False
    )
    if answer.returncode == 0:
        yield Path(answer.stdout.strip())


def _starts(path: Path) -> bool:
    """Some systems put a stub named chromium-browser in the path that only prints advice."""
    if not path.is_file():
        return False
    if sys.platform == "win32":  # chrome.exe --version opens a window there
        return True
    try:
        return not subprocess.run(
            [path, "--version"], capture_output=True, timeout=30, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _install_debian_package() -> bool:
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation"]
    return _runs(["apt-get", "update", "-qq"]) and _runs(install)


def _runs(command: list[str]) -> bool:
    """Whatever the command prints goes to stderr: stdout is for the browser's path."""
    try:
        return not subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        ).returncode
    except OSError:
        return False


if __name__ == "__main__":
    try:
        print(ensure_browser())
    except BrowserNotFound as error:
        sys.exit(str(error))
