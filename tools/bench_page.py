"""How quick the walkthrough is, in headless Chromium on a server of its own: the bench's section `page`."""

import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tools.browser import find_browser, launch_args
from tools.server import serve

HISTORY = 64

# From a click to the frame that shows it: the frame's callback, and the first task after it is painted.
STEP = """async (root) => {
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done();
    channel.port2.postMessage(0);
  }));
  const button = root.querySelector('.next-step');
  await painted();
  const before = root.querySelector('.over').textContent;
  const start = performance.now();
  button.click();
  const handled = performance.now() - start;
  await painted();
  const moved = root.querySelector('.over').textContent !== before;
  return moved ? [handled, performance.now() - start] : null;
}"""

# From an input to the frame after which the scene answers it.
ANSWER = """([selector, attribute, before]) => new Promise((done, fail) => {
  const start = performance.now();
  const hosts = [...document.querySelectorAll('*')].filter((node) => node.shadowRoot);
  const root = hosts.map((host) => host.shadowRoot.querySelector('.scene-root')).find(Boolean);
  const look = () => {
    const found = root.querySelector(selector);
    const now = attribute ? found?.getAttribute(attribute) : found?.textContent;
    const answered = now !== undefined && now !== before;
    if (performance.now() - start > 30_000) return fail(`${selector} is the same 30 s after a change`);
    requestAnimationFrame(answered ? () => done(performance.now() - start) : look);
  };
  look();
})"""


def page(against: Path | None = None) -> None:
    """Click to painted frame, time until the page can be used, answers to a changed choice.

    With the path of another checkout, both are opened and stepped in turn.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(find_browser()), args=launch_args())
        print(f"headless Chromium {browser.version}, 1440 × 900\n")
        first = [_very_first(browser, Path(folder) / f"first{i}.log") for i in range(4)]
        url = stack.enter_context(serve(Path(folder) / "server.log")).url
        open_scene(browser, url).close()
        rows: list[tuple[str, list[float], int | None]] = [
            ("usable, a server's very first visitor", first, 2000)
        ]
        if against:
            other = {"PYTHONPATH": str(against)}
            old = stack.enter_context(serve(Path(folder) / "old.log", app=against / "app.py", env=other)).url
            open_scene(browser, old).close()
            turns = [(_opening(browser, url), _opening(browser, old)) for _ in range(10)]
            steps = [(_steps(browser, url, 8, 20), _steps(browser, old, 8, 20)) for _ in range(3)]
            rows += [
                ("usable after opening", [new for new, _ in turns], 2000),
                ("  the other checkout", [before for _, before in turns], None),
                (f"step at {HISTORY} tokens, 8 heads", [t for new, _ in steps for t in new], 50),
                ("  the other checkout", [t for _, before in steps for t in before], None),
            ]
        else:
            rows += [
                ("usable after opening", [_opening(browser, url) for _ in range(8)], 2000),
                *(
                    (f"step at {HISTORY} tokens, {heads} heads", _steps(browser, url, heads), 50)
                    for heads in (8, 4, 1)
                ),
                ("step of the avoided work, 64 tokens", _avoided_steps(browser, url), 50),
                *_changes(browser, url),
            ]
        browser.close()
    print(f"{'ms':40}{'median':>8}{'p95':>8}{'n':>5}   goal for p95")
    for name, times, goal in rows:
        p95 = statistics.quantiles(times, n=20, method="inclusive")[18]
        verdict = "" if goal is None else f"{goal} {'met' if p95 <= goal else 'MISSED'}"
        print(f"{name:40}{statistics.median(times):8.1f}{p95:8.1f}{len(times):5}   {verdict}")


def _very_first(browser: Browser, log: Path) -> float:
    """The opening time of the first visitor of a server that has just come up."""
    with serve(log) as server:
        return _opening(browser, server.url)


def open_scene(browser: Browser, url: str, listen: Callable[[Page], None] | None = None) -> Page:
    """A page whose first stage can be left; `listen` gets it before anything has come."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    if listen:
        listen(opened)
    opened.goto(url)
    opened.locator(".next-step:enabled, .ending:visible").first.wait_for(timeout=60_000)
    return opened


def _opening(browser: Browser, url: str) -> float:
    context = browser.new_context()  # an empty HTTP cache: a first visit
    opened = context.new_page()
    opened.goto(url, wait_until="commit")
    opened.locator(".next-step:enabled").wait_for()
    usable: float = opened.evaluate("performance.now()")
    context.close()
    return usable


def _steps(browser: Browser, url: str, heads: int, count: int = 60) -> list[float]:
    opened = open_scene(browser, f"{url}/walkthrough?length={HISTORY}&heads={heads}&kv={heads}")
    root = opened.locator(".scene-root")
    times: list[float] = []
    while len(times) < count:
        opened.wait_for_timeout(60)
        measured = root.evaluate(STEP)
        if measured:  # none while the next part of the walk is on its way
            times.append(measured[1])
    opened.close()
    return times


def _avoided_steps(browser: Browser, url: str, count: int = 40) -> list[float]:
    times: list[float] = []
    while len(times) < count:
        opened = open_scene(browser, f"{url}/avoided_work?tokens=64")
        root = opened.locator(".scene-root")
        opened.wait_for_timeout(1500)  # pictures are built ahead
        while opened.locator(".next-step").is_enabled():
            opened.wait_for_timeout(250)
            if measured := root.evaluate(STEP):
                times.append(measured[1])
        opened.close()
    return times


def _changes(browser: Browser, url: str, count: int = 10) -> list[tuple[str, list[float], int | None]]:
    opened = open_scene(browser, f"{url}/walkthrough?length={HISTORY}")
    opened.evaluate(f"() => {{ window.answer = {ANSWER} }}")

    def answered(selector: str, attribute: str | None, change: Callable[[], object]) -> float:
        found = opened.locator(f".scene-root {selector}")
        before = found.get_attribute(attribute) if attribute else found.text_content()
        opened.evaluate("args => { window.answered = window.answer(args) }", [selector, attribute, before])
        change()
        elapsed: float = opened.evaluate("window.answered")
        opened.wait_for_timeout(250)
        return elapsed

    prompt = opened.get_by_label("Prompt")
    heads = opened.get_by_role("slider", name="Heads")
    length = opened.get_by_role("slider", name="Tokens in the cache")

    def another_layer(i: int) -> float:
        cell = opened.get_by_role("gridcell", name=f"layer {i % 3}, head 0")
        return answered(".history", "aria-label", lambda: cell.evaluate("node => node.click()"))

    def another_model(i: int) -> float:
        return answered(".proof", None, lambda: heads.press("ArrowRight" if i % 2 else "ArrowLeft"))

    def another_length(i: int) -> float:
        return answered(".over", None, lambda: length.press("ArrowRight" if i % 2 else "ArrowLeft"))

    def another_prompt(i: int) -> float:
        prompt.fill(f"The cat saw {i} birds in the")
        return answered(".text", None, lambda: prompt.press("Enter"))

    rows: list[tuple[str, list[float], int | None]] = [
        (change.__name__.replace("_", " "), [change(i) for i in range(count)], 500)
        for change in (another_layer, another_model, another_length, another_prompt)
    ]
    opened.close()
    return rows
