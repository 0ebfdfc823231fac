"""A phone, and a window zoomed to 400 %: the page scrolls downwards only, and opens with what it is about."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from explainer.pages import PAGES
from tests.waiting import answered, holds, settles, sideways

PHONE = ViewportSize(width=390, height=844)
#: 1280 × 1024 at 400 %, and a small phone.
NARROW = (ViewportSize(width=320, height=256), ViewportSize(width=360, height=740))
#: Each page as it opens, and two parts that were once wider than the window.
PLACES = ("", *(page.file for page in PAGES[1:]), "why_k_and_v?stage=7", "prompt_caching?part=3")
#: The sentences that a page opens with: of a stage, of a scene, or of a page without one.
SENTENCES = ":is(.focus, .lead, [data-testid=stMarkdown] p):visible"
IN_SIGHT = """(nodes) => nodes.some((node) => {
  const { top, bottom } = node.getBoundingClientRect();
  return node.textContent.length > 25 && top >= 0 && bottom <= innerHeight;
})"""
#: From the middle of a head of the map to that of its neighbours, and no head out of the map's column.
APART = """(grid) => {
  const rows = [...grid.children].map((row) => [...row.querySelectorAll(".map-head")].map((head) => {
    const { left, right, top, bottom } = head.getBoundingClientRect();
    return { x: (left + right) / 2, y: (top + bottom) / 2, right };
  }));
  const most = grid.parentElement.getBoundingClientRect().right + 0.5;
  return rows.flat().length > 0 && rows.every((row, i) => row.every((head, j) =>
    head.right <= most &&
    (!j || head.x - row[j - 1].x > 23.9) && (!i || head.y - rows[i - 1][j].y > 23.9)));
}"""


@pytest.mark.parametrize("place", PLACES)
def test_a_narrow_window_scrolls_downwards_only(page: Page, app_url: str, place: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{app_url}/{place}")
    expect(page.locator(SENTENCES).first).to_be_visible()
    answered(page)
    expect(page.locator(".scene-root[aria-busy]")).to_have_count(0)
    settles(lambda: [] if page.locator(SENTENCES).evaluate_all(IN_SIGHT) else ["no sentence is in sight"])
    for size in NARROW:
        page.set_viewport_size(size)
        settles(lambda: sideways(page))
        holds(page.locator(".as-one b").first, "name => name.scrollWidth <= name.clientWidth")


@pytest.mark.parametrize(
    "size", [PHONE, *(ViewportSize(width=w, height=h) for w, h in ((720, 450), (1024, 768), (1440, 900)))]
)
@pytest.mark.parametrize("place", ["walkthrough?stage=4", "avoided_work?op=5", "why_k_and_v"])
def test_each_head_of_the_map_has_24_pixels_to_itself(
    page: Page, app_url: str, place: str, size: ViewportSize
) -> None:
    page.set_viewport_size(size)
    page.goto(f"{app_url}/{place}")
    holds(page.locator(".map-grid").first, APART)
