"""What a page of scenes costs, beside the walkthrough: the bench's section `scenes`.

For each page: the bytes of a run and of the scene in it, what a control takes on the server's processor and
until the answer is painted, and a step in the browser. Bytes and processor time can be believed on a busy
machine too; the rest needs a quiet one.
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tools.bench_page import ANSWER, STEP, open_scene
from tools.browser import find_browser, launch_args
from tools.load import p95, processor_ms
from tools.server import Server, serve

GOAL_STEP_MS, GOAL_ANSWER_MS = 50, 500
STEPS, CHANGES = 40, 10
QUIET_MS = 400  # after an answer: what else the run sends, and what the browser fetches, has come


@dataclass(frozen=True)
class Control:
    """Something that a learner changes, the i-th time, and what of the scene shows that it was answered."""

    name: str
    change: Callable[[Page, int], None]
    answer: str  # selector, in the scene
    attribute: str | None = None
    path: str = ""  # where on the page it is; else where its steps begin
    times: int = CHANGES


def _press(label: str) -> Callable[[Page, int], None]:
    def change(page: Page, i: int) -> None:
        page.get_by_role("slider", name=label).press("ArrowRight" if i % 2 else "ArrowLeft")

    return change


def _prompt(page: Page, i: int) -> None:
    page.get_by_label("Prompt").fill(f"The cat saw {i} birds in the")
    page.get_by_label("Prompt").press("Enter")


def _click(selector: str, first: int = 0) -> Callable[[Page, int], None]:
    """Each time another one of those that the selector finds."""
    return lambda page, i: page.locator(selector).nth(first + i).evaluate("node => node.click()")


def _fill(selector: str, text: str) -> Callable[[Page, int], None]:
    def change(page: Page, i: int) -> None:
        page.locator(selector).fill(text.format(digit=i % 9 + 1, letter="abcdefghij"[i]))
        page.locator(selector).press("Enter")

    return change


def _next_token(page: Page, i: int) -> None:
    """From the last line of a token to the next one."""
    page.locator(".l.stop", has_text="token_ids.append").evaluate("node => node.click()")
    page.locator(".next-step").evaluate("node => node.click()")


ANOTHER_PROMPT = Control("another prompt", _prompt, ".text")
ANOTHER_MODEL = Control("another model", _press("Heads"), ".told")

#: Addresses, and what can be changed there.
PAGES: dict[str, tuple[Control, ...]] = {
    "walkthrough": (
        Control("another layer", _click(".map-head", 1), ".history", "aria-label"),
        ANOTHER_MODEL,
        ANOTHER_PROMPT,
    ),
    "why_k_and_v": (
        Control("another head", _click(".map-head", 1), ".fits"),
        Control("another token exchanged", _click(".pick-token"), ".told", path="?stage=10"),
        Control("another name", _fill(".name-input", "Wen{letter}o"), ".told", path="?stage=12"),
        ANOTHER_MODEL,
        ANOTHER_PROMPT,
    ),
    "by_hand": (
        Control(
            "another number", _fill(".fields input >> nth=24", "{digit}"), ".calculation", path="?step=2"
        ),
    ),
    "code": (
        Control("another token", _next_token, ".so"),
        Control("another bug", _click(".stage", 1), ".told", path="?part=2", times=6),
        Control("another model", _press("Heads"), ".told", path="?at=k_all"),  # its shape is told there
        Control("another prompt", _prompt, ".so"),
    ),
}


@dataclass
class Heard:
    """What has come over a page's websocket, in bytes: all of it, and the largest scene in it."""

    received: int = 0
    scene: int = 0
    errors: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._hear)

    def _hear(self, payload: Any) -> None:
        data = payload if isinstance(payload, bytes) else payload.encode()
        self.received += len(data)
        element = ForwardMsg.FromString(data).delta.new_element
        kind = element.WhichOneof("type")
        if kind == "bidi_component":
            self.scene = max(self.scene, len(data))
        if kind == "exception":
            self.errors.append(element.exception.message[:80])

    def clear(self) -> None:
        self.received = self.scene = 0


def scenes() -> None:
    """A table of steps and one of controls, page by page."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "server.log") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(find_browser()), args=launch_args())
        print(f"headless Chromium {browser.version}, 1440 × 900\n")
        print(f"{'':40}{'kB a run':>10}{'scene':>8}{'CPU ms':>8}{'ms':>8}{'p95':>8}   goal for p95")
        for name, controls in PAGES.items():
            open_scene(browser, f"{server.url}/{name}").close()  # once before
            _print_opened(browser, server, name)
            for control in controls:
                _print_control(browser, server, name, control)
        browser.close()


def _print_opened(browser: Browser, server: Server, name: str) -> None:
    heard = Heard()
    before = processor_ms(server)
    page = open_scene(browser, f"{server.url}/{name}", heard.listen)
    page.wait_for_timeout(QUIET_MS)
    used = processor_ms(server) - before
    _print(f"{name}, opened", heard.received, heard.scene, used, [], None)
    root = page.locator(".scene-root")
    times: list[float] = []
    while len(times) < STEPS:
        page.wait_for_timeout(60)
        if root.locator(".next-step").is_disabled():
            root.locator(".stage").first.click()
            continue
        if measured := root.evaluate(STEP):
            times.append(measured[1])
    _print("  a step in the browser", 0, 0, 0, times, GOAL_STEP_MS)
    page.close()


def _print_control(browser: Browser, server: Server, name: str, control: Control) -> None:
    """The changes of one learner, one after the other; a question that one of them poses is not answered."""
    heard = Heard()
    page = open_scene(browser, f"{server.url}/{name}{control.path}", heard.listen)
    if page.locator(".edit").count():
        page.locator(".edit").click()  # the fields
    page.wait_for_timeout(QUIET_MS)
    heard.clear()
    page.evaluate(f"() => {{ window.answer = {ANSWER} }}")
    found = page.locator(f".scene-root {control.answer}").first
    largest, used = 0, 0.0
    times: list[float] = []
    for i in range(control.times):
        before = found.get_attribute(control.attribute) if control.attribute else found.text_content()
        began = processor_ms(server)
        page.evaluate(
            "args => { window.answered = window.answer(args) }", [control.answer, control.attribute, before]
        )
        control.change(page, i)
        times.append(float(page.evaluate("window.answered")))
        page.wait_for_timeout(QUIET_MS)
        used += processor_ms(server) - began
        largest = max(largest, heard.scene)
    if heard.errors:
        raise RuntimeError(f"{name}, {control.name}: {heard.errors[0]}")
    _print(
        f"  {control.name}",
        heard.received // control.times,
        largest,
        used / control.times,
        times,
        GOAL_ANSWER_MS,
    )
    page.close()


def _print(
    name: str, received: int, scene: int, used: float, times: Sequence[float], goal: int | None
) -> None:
    size = f"{received / 1e3:10.0f}{scene / 1e3:8.0f}{used:8.0f}" if received else " " * 26
    clock = f"{statistics.median(times):8.1f}{p95(times):8.1f}" if times else ""
    verdict = f"   {goal} {'met' if p95(times) <= goal else 'MISSED'}" if goal else ""
    print(f"{name:40}{size}{clock}{verdict}")
