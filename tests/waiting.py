"""Waiting for what no locator can be asked for: sizes and places in a layout, and the server."""

import time
from collections.abc import Callable, Sequence

from playwright.sync_api import Locator, Page, expect

#: A machine may be many times slower than the one that a test was written on: what takes long is no failure.
PATIENCE_MS = 90_000


def settles(problems: Callable[[], Sequence[object]]) -> None:
    """A page that is still being laid out has problems for a moment: they have to go."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while found := problems():
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def holds(element: Locator, condition: str) -> None:
    """The condition, JavaScript of an element, is true of this one, or soon will be."""
    settles(lambda: [] if element.evaluate(condition) else [f"{element} and {condition}"])


def answered(page: Page) -> None:
    """The server has run the page's script to its end: what was done before this has its effect."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def sideways(page: Page) -> list[str]:
    over: int = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll('html, .stMain')]
          .map((node) => node.scrollWidth - node.clientWidth))"""
    )
    return [f"the page scrolls sideways by {over} px"] if over > 0 else []
