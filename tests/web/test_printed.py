"""What the pages put on paper."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.waiting import settles

#: The histories that hide some of their first row.
CUT = """(histories) => histories.map((history, stage) => ({ stage: stage + 1, hidden:
  history.getBoundingClientRect().top - history.querySelector('.line').getBoundingClientRect().top }))
  .filter(({ hidden }) => hidden > 1)"""


def pages_of(page: Page) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))


@pytest.mark.parametrize("history", [13, 64])
def test_a_whole_walk_prints_as_a_handout_of_two_pages(page: Page, app_url: str, history: int) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(f"{app_url}/walkthrough?length={history}&stage=3")
    page.evaluate("() => { window.print = () => {}; }")  # no dialog
    page.get_by_role("button", name="Save or print").click()
    page.get_by_role("button", name="Print a handout").click()
    printed = page.locator(".handout .scene-root")
    expect(printed).to_have_count(5)
    for stage in range(5):
        expect(printed.nth(stage)).to_contain_text(f"Stage {stage + 1} of 5 · token {history}")
    expect(page.locator(".scene-root:not(.handout *)")).to_have_attribute("data-stage", "3")
    page.emulate_media(media="print", color_scheme="dark")
    if history == 13:  # of a short text no row is left out
        settles(lambda: printed.locator(".history").evaluate_all(CUT))
    settles(lambda: [] if (pages := pages_of(page)) == 2 else [pages])
    page.emulate_media(media="print", color_scheme="dark")
    assert (
        page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(printed).to_have_count(0)


@pytest.mark.parametrize("op", [3, 17])
def test_a_stage_of_the_avoided_work_prints_on_one_page(page: Page, app_url: str, op: int) -> None:
    page.goto(f"{app_url}/avoided_work?op={op}")
    page.locator(".st-key-tells_avoided_charts").scroll_into_view_if_needed()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    settles(lambda: [] if (pages := pages_of(page)) == 1 else [pages])


@pytest.mark.parametrize("line", [1, 30])
def test_a_line_of_the_code_prints_on_the_page_of_what_is_said_of_it(
    page: Page, app_url: str, line: int
) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{app_url}/code?line={line}")
    expect(page.locator(".told .over")).to_contain_text(f"Line {line} of")
    settles(lambda: [] if (pages := pages_of(page)) == 1 else [pages])


def test_the_exercises_print_on_two_pages_before_a_class_too(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/by_hand?step=8&present=1")
    expect(page.locator(".presenting .calculation td b").first).to_be_visible()
    settles(lambda: [] if (pages := pages_of(page)) == 2 else [pages])
