"""How long each page takes to open, beside a bare Streamlit page: the bench's section `open`.

Both are opened in turn in a browser that has nothing cached, each on a server of its own that has been
visited before. The bare page writes one word; it is usable when the word is there.
"""

import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tools.browser import find_browser, launch_args
from tools.server import serve

BARE = 'import streamlit as st\n\nst.write("Hello")\n'
PAIRS = 10
GOAL = 1.3  # for the start page

#: Addresses, and what of a page is there when it can be used.
PAGES = {
    "/": ".next-step:enabled",
    "/walkthrough": ".next-step:enabled",
    "/avoided_work": ".next-step:enabled",
    "/timing": ".stMain button[data-testid^=stBaseButton]:enabled",
}

# Looks at every frame, so that the clock stops in the page and not when the answer has come out of it.
_WATCH = """(usable) => {
  const look = () => {
    const roots = [...document.querySelectorAll("*")].map((node) => node.shadowRoot).filter(Boolean);
    const found = [document, ...roots].some((root) => root.querySelector(usable));
    if (found) window.usable = performance.now();
    else requestAnimationFrame(look);
  };
  look();
}"""


def opened(browser: Browser, url: str, usable: str) -> float:
    """Milliseconds from the address to a page that can be used."""
    # An empty HTTP cache; and what waits below evaluates a string, which the page itself may not.
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    context.add_init_script(f"({_WATCH})({json.dumps(usable)})")
    page = context.new_page()
    page.goto(url, wait_until="commit")
    taken: float = page.wait_for_function("window.usable", timeout=60_000).json_value()
    context.close()
    return taken


def opening() -> None:
    """The app's pages and a bare one, opened in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, sync_playwright() as playwright:
        bare_app = Path(folder) / "bare.py"
        bare_app.write_text(BARE)
        app = stack.enter_context(serve(Path(folder) / "app.log")).url
        bare = stack.enter_context(serve(Path(folder) / "bare.log", app=bare_app)).url
        browser = playwright.chromium.launch(executable_path=str(find_browser()), args=launch_args())
        print(f"headless Chromium {browser.version}, nothing cached; medians of {PAIRS} pairs, ms\n")
        print(f"{'':20}{'usable':>8}{'bare':>8}{'ratio':>8}  quartiles")
        for path, usable in PAGES.items():
            opened(browser, app + path, usable)  # once before
            opened(browser, bare, ".stMarkdown p")
            pairs = [
                (opened(browser, app + path, usable), opened(browser, bare, ".stMarkdown p"))
                for _ in range(PAIRS)
            ]
            ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
            lower, ratio, upper = statistics.quantiles([our / their for our, their in pairs], n=4)
            verdict = "" if path != "/" else f"  goal {GOAL} {'met' if ratio <= GOAL else 'MISSED'}"
            print(f"{path:20}{ours:8.0f}{theirs:8.0f}{ratio:8.2f}  {lower:.2f} to {upper:.2f}{verdict}")
        browser.close()
