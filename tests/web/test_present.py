"""Every page with steps before a class: the picture and one sentence that can be read from the last row."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.waiting import holds

#: An address of each, what in its picture matters, and how much of that there is at least.
PAGES = {
    "start": ("?part=1", ".numbers dd, .t-row.now", 4),
    "walkthrough": ("walkthrough?stage=4", "[data-matters]", 14),
    "avoided_work": ("avoided_work?op=8", ".name", 10),
    "why_k_and_v": ("why_k_and_v", ".fit, .card-name", 10),
    "by_hand": ("by_hand?step=8", "td :is(b, .how)", 8),
    "timing": ("timing?part=3", ".part [data-matters]", 5),
    "code": ("code", ".l.now", 1),
    "memory": ("memory", ".factor b, .total b", 6),
    "prompt_caching": ("prompt_caching", ".numbers b", 4),
    "policies": ("policies?step=20", ".word, .next-word", 20),
}

# What is told, once the picture has taken its size; as it is after a minute and a half, where that is wrong.
LOOK = """async (root, matters) => {
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && node.textContent.trim();
  const size = (node) => parseFloat(getComputedStyle(node).fontSize);
  const line = root.querySelector('.present-line');
  const picture = root.querySelector('.picture-area');
  const look = () => {
    const found = [...root.querySelectorAll(matters)].filter(seen);
    const box = line.getBoundingClientRect();
    return {
      found: found.length,
      small: found.filter((node) => size(node) < 24).map((node) => `${node.className} ${size(node)}`),
      line: size(line),
      screen: [root.offsetLeft, root.offsetTop, root.offsetWidth, root.offsetHeight],
      cut: Math.max(0, box.bottom - innerHeight, box.right - innerWidth,
        picture.scrollWidth - picture.clientWidth, picture.scrollHeight - picture.clientHeight),
    };
  };
  const wrong = ({ cut, small, line, screen }) =>
    cut > 1 || small.length || line < 24 || screen[2] !== innerWidth || screen[3] !== innerHeight;
  let told = look();
  for (let tries = 0; tries < 900 && wrong(told); tries++) {
    await new Promise((done) => setTimeout(done, 100));
    told = look();
  }
  return told;
}"""


@pytest.mark.parametrize("name", PAGES)
def test_before_a_class_the_sentence_and_the_numbers_that_matter_can_be_read_and_nothing_is_cut(
    page: Page, app_url: str, name: str
) -> None:
    address, matters, least = PAGES[name]
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app_url}/{address}{'&' if '?' in address else '?'}present=1")
    root = page.locator(".scene-root.presenting")
    expect(root.locator(".present-line")).to_have_text(re.compile(r"\S.*[.?!:]”?$"))
    expect(root.locator(matters).nth(least - 1)).to_be_attached()
    for width, height in ((1024, 768), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        seen: dict[str, Any] = root.evaluate(LOOK, matters)
        assert seen["found"] >= least, seen
        assert (seen["small"], seen["line"] >= 24, seen["screen"]) == ([], True, [0, 0, width, height]), seen
        assert seen["cut"] <= 1, seen
    if name == "avoided_work":  # it has texts and charts below its scene
        expect(page.locator(".numbers-of")).to_have_count(3)
    expect(page.locator(":is(.stMarkdown, .stHtml) :is(p, h4, summary):visible")).to_have_count(0)


def test_the_volume_of_the_cache_takes_the_room_that_the_rest_leaves(page: Page, app_url: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app_url}/memory?grown=3&present=1")
    root = page.locator(".scene-root.presenting")
    expect(root.locator(".present-line")).to_have_text(re.compile(r"\S"))
    canvas = root.locator(".volume canvas")
    for width, height in ((1024, 768), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        holds(canvas, f"(canvas) => canvas.clientHeight > {height} * 0.45")
        holds(canvas, "(canvas) => canvas.height === Math.round(canvas.clientHeight * devicePixelRatio)")
        holds(root.locator(".picture-area"), "(area) => area.scrollHeight <= area.clientHeight + 1")


#: What the other parts of prompt caching show at first, and what in it matters.
PARTS = ((".mistakes", ".tk"), (".documents", "td b"), (".prices", "td b"), (".machines", ".line b"))


def test_each_part_of_prompt_caching_fits_before_a_class(page: Page, app_url: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app_url}/prompt_caching?part=2&present=1")
    root = page.locator(".scene-root.presenting")

    def fits(matters: str) -> None:
        for width, height in ((1024, 768), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            seen: dict[str, Any] = root.evaluate(LOOK, matters)
            assert (seen["small"], seen["cut"] <= 1, seen["found"] > 3) == ([], True, True), seen

    for number, (part, matters) in enumerate(PARTS, start=2):
        expect(root.locator(part)).to_be_visible()
        fits(matters)
        if part == ".mistakes":  # and once it is told what became of the rows
            root.locator(".predict .show").click()
            expect(root.locator(".became .line")).to_be_visible()
            fits(".layer-row b")
        if number <= len(PARTS):
            page.keyboard.press("ArrowRight")
