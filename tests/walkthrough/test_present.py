"""The walkthrough before a class: on a projector, with a remote, and with notes in a second window."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explainer.walkthrough.words import WORDS
from tests.waiting import settles

STAGES = WORDS["stage"]

# What of the scene is small, does not fit, or stands beside it.
LOOK = """root => {
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && node.textContent.trim();
  const matters = [...root.querySelectorAll('[data-matters]')].filter(seen);
  const line = root.querySelector('.present-line');
  const picture = root.querySelector('.picture-area');
  const box = root.getBoundingClientRect();
  const apart = [...root.querySelectorAll('button, select, .formula, .map, .proof, .text, h2')];
  return {
    screen: [box.x, box.y, box.width, box.height],
    matter: matters.length,
    sizes: [...new Set(matters.map((node) => parseFloat(getComputedStyle(node).fontSize)))],
    line: line.textContent,
    cut: Math.max(
      line.getBoundingClientRect().bottom - innerHeight,
      line.getBoundingClientRect().right - innerWidth,
      picture.scrollWidth - picture.clientWidth,
      picture.scrollHeight - picture.clientHeight,
    ),
    numbers: [...root.querySelectorAll('.c')].filter((c) => getComputedStyle(c).fontSize !== '0px').length,
    others: apart.filter((node) => !node.closest('.present-bar') && seen(node)).map((node) => node.className),
    outside: [...document.querySelectorAll('.stApp :is(input, button, p)')]
      .filter((node) => node.checkVisibility({ visibilityProperty: true })).length,
  };
}"""


def open_page(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/walkthrough?{query}")
    expect(page.locator(".history .line").first).to_be_attached()


def look(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(".scene-root").evaluate(LOOK)
    return found


def wrong(seen: dict[str, Any], screen: list[int]) -> list[object]:
    holds = {
        "it has the screen": seen["screen"] == screen,
        "it can be read": min(seen["sizes"]) >= 24,
        "the sentence is there, and the tokens' names, scores or weights": seen["matter"] > 14,
        "nothing is cut": seen["cut"] <= 1,
        "there is nothing else": (seen["numbers"], seen["others"], seen["outside"]) == (0, [], 0),
    }
    return [(what, seen) for what, so in holds.items() if not so]


@pytest.mark.parametrize(("width", "height", "scheme"), [(1024, 768, "light"), (1920, 1080, "dark")])
def test_on_a_projector_every_stage_has_the_picture_and_one_sentence_that_can_be_read(
    page: Page, app_url: str, axe: Any, width: int, height: int, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": height})
    open_page(page, app_url, "present=1")
    lines = set()
    for stage in range(1, 6):
        expect(page.locator(".scene-root")).to_have_attribute("data-stage", str(stage))
        settles(lambda: wrong(look(page), [0, 0, width, height]))
        lines.add(look(page)["line"])
        if stage == 4:
            assert axe(page) == []
        page.keyboard.press("PageDown")
    assert len(lines) == 5
    expect(page.locator(".scene-root")).to_have_attribute("data-stage", "1")


def test_a_remote_steps_though_a_slider_had_the_focus_and_escape_leaves_all_as_it_was(
    page: Page, app_url: str
) -> None:
    open_page(page, app_url)
    page.get_by_role("slider", name="Tokens in the cache").focus()
    page.keyboard.press("f")
    root = page.locator(".scene-root")
    expect(root).to_have_class(re.compile("presenting"))
    stages = {"PageDown": 2, "ArrowRight": 3, "PageUp": 2, " ": 3, "End": 5, "Home": 1, "4": 4}
    for key, stage in stages.items():
        page.keyboard.press(key)
        expect(root).to_have_attribute("data-stage", str(stage))
    expect(page).to_have_url(re.compile("stage=4.*present=1"))
    page.keyboard.press("b")
    expect(page.locator(".blank")).to_be_visible()
    page.keyboard.press("b")
    page.locator("[data-row='3'] [data-part=score]").hover()
    row = page.locator(".history [data-row='3']")
    settles(lambda: [] if page.locator(".spot").bounding_box() == row.bounding_box() else ["another row"])
    page.keyboard.press("Escape")
    expect(root).not_to_have_class(re.compile("presenting"))
    expect(page).not_to_have_url(re.compile("present"))
    assert "length" not in page.url
    expect(page.locator(".over")).to_contain_text("Stage 4 of 5 · token 13")


def test_the_notes_follow_in_a_window_of_their_own_and_step_too(page: Page, app_url: str) -> None:
    open_page(page, app_url, "present=1&stage=2")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    notes = opened.value
    expect(notes.locator("h1")).to_have_text(STAGES[1]["title"])
    page.keyboard.press("PageDown")
    expect(notes.locator("h1")).to_have_text(STAGES[2]["title"])
    expect(notes.locator("body")).to_contain_text(
        "which token do you expect to fit “to” best", ignore_case=True
    )
    notes.keyboard.press("PageDown")
    expect(page.locator(".scene-root")).to_have_attribute("data-stage", "4")
    expect(notes.locator("h1")).to_have_text(STAGES[3]["title"])
    notes.reload()
    expect(notes.locator("h1")).to_have_text(STAGES[3]["title"])


def test_the_notes_open_at_an_address_without_https_too(page: Page, app_url: str) -> None:
    """As http://192.168.0.7:8501 is, which a class can reach: there a browser makes no UUIDs."""
    open_page(page, app_url, "present=1&stage=2")
    page.evaluate("() => { delete Crypto.prototype.randomUUID; }")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    expect(opened.value.locator("h1")).to_have_text(STAGES[1]["title"])


def test_each_stage_prints_on_one_page_without_what_is_there_to_press(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    for stage in range(1, 6):
        page.emulate_media(media="print")
        expect(page.locator(".scene-root")).to_have_attribute("data-stage", str(stage))
        for control in (".rail", ".st-key-path_bar", ".st-key-controls", ".present-bar", ".spots"):
            expect(page.locator(control).first, control).to_be_hidden()
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", landscape=True))) == 1
        page.emulate_media(media="screen")  # to print can end the emulation
        page.keyboard.press("ArrowRight")
