"""The bar, the paths and the doors between pages in a real browser."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import Locator, Page, expect

from explainer.kit.words import explained
from explainer.memory.choice import PARTS as MEMORY
from explainer.pages import PAGES
from explainer.path.way import onward, way_of
from explainer.policies.choice import PARTS as POLICIES
from tests.waiting import holds
from tools.browser import switch

TITLES = {page.file: page.title for page in PAGES}
FILES = tuple(TITLES)


def bar(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Pages")


def here(page: Page, file: str) -> None:
    expect(bar(page)).to_contain_text(TITLES[file])
    expect(page.locator(".way-root > .path")).to_be_visible()


def test_the_ten_minute_path_leads_to_its_end_and_ticks_what_was_seen(page: Page, app_url: str) -> None:
    page.goto(app_url)
    way = way_of(1, FILES)
    page.get_by_role("button", name="Paths: 10 or 40 minutes").click()
    page.get_by_role("button", name="Take this path").first.click()
    for n, file in enumerate(way.pages, start=1):
        here(page, file)
        menu = page.get_by_role("button", name=f"Ten minutes: {n} of {len(way.pages)}")
        expect(menu).to_be_visible()
        expect(page).to_have_url(re.compile(r"path=1"))
        following = page.get_by_role("link", name=f"Next: {TITLES[onward(file, way, FILES)]}")
        if n == len(way.pages):
            menu.click()
            steps = page.locator("section").first.locator(".page:visible")
            expect(steps).to_have_count(len(way.pages))
            assert steps.locator("i").all_inner_texts() == ["✓"] * len(way.pages)
            page.keyboard.press("Escape")
        following.click()
    here(page, way.after)


def test_prompt_head_and_token_go_along_and_the_last_stage_ends_with_the_next_idea(
    page: Page, app_url: str
) -> None:
    page.goto(f"{app_url}/walkthrough?prompt=Once+upon+a+time&head=5&token=7&stage=4")
    expect(page.locator(".over")).to_contain_text("Stage 4 of 5 · token 7")
    expect(page.locator(".ending")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.locator(".ending").get_by_role("link", name=TITLES["avoided_work"]).click()
    here(page, "avoided_work")
    expect(page).to_have_url(re.compile("op=1"))
    address = parse_qs(urlparse(page.url).query)
    assert address == {"prompt": ["Once upon a time"], "head": ["5"], "tokens": ["7"], "op": ["1"]}
    # Back leads to where the learner was.
    page.go_back()
    expect(page.locator(".over")).to_contain_text("Stage 5 of 5 · token 7")


def test_on_a_phone_the_moves_do_not_cover_the_next_idea_below_the_scene(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app_url}/walkthrough")
    expect(page.locator(".moves")).to_have_css("position", "fixed")
    page.locator(".foot").get_by_role("link", name=TITLES["avoided_work"]).click()
    here(page, "avoided_work")


WITHIN = """e => {
  const { left, top, right, bottom } = e.getBoundingClientRect();
  return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
}"""


def test_the_menus_open_by_keyboard_and_stay_within_every_window(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{app_url}/?word=10")
    here(page, "start")
    menu = bar(page).get_by_role("button", name="Measure")
    menu.focus()
    page.keyboard.press("Enter")
    link = bar(page).get_by_role("link", name=TITLES["timing"])
    expect(link).to_be_visible()
    assert axe(page) == []
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    for width, height in ((1920, 1080), (1440, 900), (1024, 768), (768, 1024), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for button in page.locator(".way-root button:visible:not(.panel *)").all():
            button.click()
            panel = page.locator(".panel:popover-open")
            holds(panel, WITHIN)
            page.keyboard.press("Escape")
            expect(panel).to_have_count(0)
        # Streamlit's own menu stands there.
        holds(page.locator(".way-root > .path"), "e => e.getBoundingClientRect().right <= innerWidth - 40")
        if (width, height) in ((1440, 900), (1024, 768)):
            holds(page.locator(".stMain"), "main => main.scrollHeight === main.clientHeight")


def test_what_a_learner_left_is_there_again(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/walkthrough?prompt=Once+upon+a+time&stage=2")
    expect(page.locator(".over")).to_contain_text("Stage 2 of 5")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("stage=3"))
    switch(page, "Look up", TITLES["glossary"])
    expect(page.get_by_role("heading", name="Glossary")).to_be_visible()
    page.go_back()
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5")


def test_each_page_has_a_title_of_its_own(page: Page, app_url: str) -> None:
    page.goto(app_url)
    expect(page).to_have_title("The KV cache, live")
    for file in ("walkthrough", "timing"):
        page.goto(f"{app_url}/{file}")
        expect(page).to_have_title(f"{TITLES[file]} · The KV cache, live")
    switch(page, "Measure", TITLES["memory"])
    expect(page).to_have_title(f"{TITLES['memory']} · The KV cache, live")


def test_every_page_and_part_has_a_heading_of_the_first_level(page: Page, app_url: str) -> None:
    """By its headings a screen reader's user finds what a page is about."""
    parts = [*(f"memory?part={part}" for part in MEMORY), *(f"policies?part={part}" for part in POLICIES)]
    for address in (*FILES, *parts):
        page.goto(f"{app_url}/{'' if address == 'start' else address}")
        here(page, address.partition("?")[0])
        expect(page.get_by_role("heading", level=1).first).to_be_attached()


def test_a_term_in_streamlits_text_explains_itself_to_pointer_and_keyboard(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/timing")
    here(page, "timing")
    term, tip = page.get_by_role("link", name="prefill", exact=True), page.locator(".meaning")
    term.hover()
    expect(tip).to_contain_text(explained()["prefill"])
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    term.focus()
    expect(tip).to_contain_text(explained()["prefill"])
    expect(term).to_have_accessible_description(explained()["prefill"])
    # So do those of the pages that tell much of theirs in such text.
    for part, text, name in (
        ("memory?part=model", "KV heads", "kv_head"),
        ("memory?part=speed", "keys", "key"),
        ("policies?part=loss", "token", "token"),
    ):
        page.goto(f"{app_url}/{part}")
        here(page, part.partition("?")[0])  # the bar is drawn: it is the bar that explains
        page.get_by_role("link", name=text, exact=True).focus()
        expect(tip).to_contain_text(explained()[name])
