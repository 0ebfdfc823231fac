"""The timing lab before a class: its parts, measured from there, and a remote; and steps on the page."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from explainer.timing.stepped import WORDS
from tests.timing.test_browser import finish_race
from tests.waiting import settles
from tests.web.test_present import LOOK

MATTERS = ".part :is([data-matters], .clock, .lane h3, .each > :first-child, .words, text)"


def measure(page: Page, part: int) -> None:
    """Start what this part shows, and wait until it has been measured."""
    page.keyboard.press(str(part))
    root = page.locator(".scene-root.presenting")
    expect(root).to_have_attribute("data-stage", str(part))
    root.locator(".start").click()
    expect(root.get_by_role("button", name=WORDS["frame"]["again"])).to_be_visible()


def test_before_a_class_every_part_is_measured_and_can_be_read(page: Page, app_url: str, axe: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app_url}/timing?longest=16&scale=16&present=1")
    root = page.locator(".scene-root.presenting")
    expect(root.locator(".status")).to_have_text(WORDS["frame"]["not_yet"])
    for part in (1, 2, 5):
        measure(page, part)
    lines = set()
    for part, least in enumerate((8, 12, 6, 12, 12), start=1):
        page.keyboard.press(str(part))
        expect(root).to_have_attribute("data-stage", str(part))
        for width, height in ((1024, 768), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            seen = root.evaluate(LOOK, MATTERS)
            assert seen["found"] >= least, (part, seen)
            assert (seen["small"], seen["cut"] <= 1, seen["screen"]) == ([], True, [0, 0, width, height])
        assert axe(page) == []
        lines.add(root.locator(".present-line").inner_text())
    assert len(lines) == 5
    assert all(re.search(r"\d", line) for line in lines - {WORDS["precision"]["done_all"]})
    page.keyboard.press("Escape")
    finish_race(page)  # the same runs stand on the page
    expect(page.locator(".js-plotly-plot")).to_have_count(7)
    expect(page.locator(".lane")).to_have_count(2)


def test_a_remote_goes_from_part_to_part_and_the_notes_follow(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/timing?part=3&present=1")
    root = page.locator(".scene-root.presenting")
    expect(root).to_have_attribute("data-stage", "3")
    for key, part in {"PageDown": 4, "ArrowLeft": 3, "End": 5, "Home": 1, " ": 2, "4": 4}.items():
        page.keyboard.press(key)
        expect(root).to_have_attribute("data-stage", str(part))
    expect(page).to_have_url(re.compile("part=4.*present=1"))
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value
    expect(notes.locator("h1")).to_have_text(WORDS["why"]["name"])
    expect(notes.locator("body")).to_contain_text(WORDS["why"]["ask"])
    notes.keyboard.press("PageUp")
    expect(root).to_have_attribute("data-stage", "3")
    expect(notes.locator("body")).to_contain_text(WORDS["scale"]["say"])


def test_on_the_page_a_step_brings_the_part_into_sight(page: Page, app_url: str) -> None:
    page.emulate_media(reduced_motion="reduce")

    def in_sight(part: str) -> None:
        heading = page.locator(f"h2#{part}")
        expect(heading).to_be_in_viewport()
        settles(lambda: [] if heading.bounding_box()["y"] > 40 else [heading.bounding_box()])  # type: ignore[index]

    page.goto(f"{app_url}/timing?part=3")
    # The scene hears keys from here on.
    expect(page.locator(".rail [data-stage='3']")).to_have_attribute("aria-current", "step")
    in_sight("scale")
    page.keyboard.press("ArrowLeft")
    in_sight("sweep")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    in_sight("why")
    expect(page).to_have_url(re.compile("part=4"))
    page.keyboard.press("f")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    in_sight("sweep")
