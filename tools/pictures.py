"""Takes the README's pictures anew, from the app as it is: `python -m tools.pictures`."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from explainer.start.choice import PLAYED
from tools.browser import find_browser, launch_args
from tools.server import ROOT, serve

DOCS = ROOT / "docs"
SIZE = ViewportSize(width=1200, height=800)
#: Milliseconds: a word, what was chosen to be kept, and the last word of either.
WORD, CHOICE, LAST = 650, 2200, 4000
#: What is kept, one box after the other, until the sentence goes on.
KEPT = ("v", "k")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "log") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_browser(), args=launch_args())
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce", color_scheme="light")
        played(page, server.url)
        open_settled(page, f"{server.url}/walkthrough?stage=3")
        expect(page.locator(".over")).to_contain_text("Stage 3 of 5")
        page.keyboard.press("ArrowRight")  # with a step the controls fold away
        expect(page.locator(".over")).to_contain_text("Stage 4 of 5")
        page.screenshot(path=DOCS / "walkthrough.png")
        browser.close()


def open_settled(page: Page, url: str) -> None:
    """Streamlit fades a page in: only what stands still is a picture."""
    page.goto(url)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator(".scene-root").first).to_be_visible()
    page.wait_for_timeout(2000)


def played(page: Page, url: str) -> None:
    """The start page: its words one after the other, then what is kept; the last word as a PNG, too."""
    open_settled(page, f"{url}/?word=1")
    frames: list[tuple[bytes, int]] = []
    for k in range(1, PLAYED + 1):
        expect(page.locator(".cached .t-row")).to_have_count(k)
        frames.append((page.screenshot(), WORD if k < PLAYED else LAST))
        if k < PLAYED:
            page.keyboard.press("ArrowRight")
    (DOCS / "start.png").write_bytes(frames[-1][0])
    page.locator(".question").click()
    expect(page.locator(".verdict")).to_be_visible()
    frames.append((page.screenshot(), CHOICE))
    for box in KEPT:
        page.locator(f".box-{box}").click()
        expect(page.locator(f".box-{box}")).to_have_attribute("aria-pressed", "true")
        frames.append((page.screenshot(), CHOICE if box != KEPT[-1] else LAST))
    first, *rest = (Image.open(io.BytesIO(shot)).convert("RGB") for shot, _ in frames)
    times = [time for _, time in frames]
    moving = DOCS / "start.webp"
    first.save(moving, save_all=True, append_images=rest, duration=times, loop=0, lossless=True, method=6)


if __name__ == "__main__":
    main()
