"""The policies page in a real browser: rows that go, questions, measured curves, who can use it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from explainer.kit.encode import token_label
from explainer.policies.choice import NEW
from explainer.policies.rules import RULES
from explainer.policies.runs import pair, prompt_of
from explainer.policies.scene import parting
from kvengine import load_tokenizer
from tests.waiting import answered, settles, sideways
from tools.browser import switch

MODEL = "stories-1m-h8-kv8"
TOKENIZER = load_tokenizer(MODEL)


def open_page(page: Page, app_url: str, query: str = "") -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{app_url}/policies?{query}")
    expect(page.locator(".scene-root[data-stage]").first).to_be_visible()


def chips(page: Page, panel: int) -> list[str]:
    """The state of each row of a panel, in the order of the text."""
    found: list[str] = (
        page.locator(".text-run")
        .nth(panel)
        .locator(".chip")
        .evaluate_all(
            "all => all.map(c => ['ahead', 'gone', 'fresh'].find(s => c.classList.contains(s)) ?? 'cached')"
        )
    )
    return found


def test_every_step_shows_the_rows_that_the_engine_has_kept(page: Page, app_url: str) -> None:
    ids = prompt_of(MODEL, "bear", "")
    found = pair(MODEL, ids, "h2o", 12, 3, 0)[1]
    open_page(page, app_url, "policy=h2o&budget=12&text=bear&step=30")
    for step in (30, 31, 32):
        expect(page.locator(".scrub output")).to_have_text(f"{step} of {len(ids) + NEW}")
        i = step - 1
        expected = ["cached" if kept else "gone" for kept in found.thin.kept[i][:i]] + ["fresh"]
        assert chips(page, 1)[:step] == expected
        assert chips(page, 0)[:step] == ["cached"] * i + ["fresh"]
        assert set(chips(page, 0)[step:]) == {"ahead"}
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("step=32"))


def test_the_texts_part_where_the_engine_says_and_the_difference_is_marked(page: Page, app_url: str) -> None:
    found = pair(MODEL, prompt_of(MODEL, "cat", ""), "window", 16, 3, 0)[1]
    at = parting(found)
    assert at is not None
    open_page(page, app_url, f"step={at + 1}")
    expect(page.locator(".told")).to_contain_text("Here they part")
    full, thin = (token_label(TOKENIZER.texts([run.chosen[at]])[0]) for run in (found.full, found.thin))
    expect(page.locator(".next-word").nth(0)).to_contain_text(f"“{full}”")
    expect(page.locator(".next-word.parted")).to_contain_text(f"“{thin}”")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".text-run").nth(1).locator(".chip.parted")).to_have_count(1)
    expect(page.locator(".text-run").nth(1).locator(".chip.parted .word")).to_have_text(thin)


def test_the_keyboard_reads_what_became_of_each_word(page: Page, app_url: str) -> None:
    open_page(page, app_url, "policy=window&budget=4&step=8")
    expect(page.locator(".scrub output")).to_contain_text("8 of")
    for kind in ("fresh", "gone", "ahead"):
        told = {"fresh": "computed in this step", "gone": "dropped", "ahead": "not read yet"}[kind]
        names = page.locator(".text-run").nth(1).locator(f".chip.{kind}")
        for name in names.evaluate_all("all => all.map(chip => chip.ariaLabel)"):
            assert told in name
    stop = page.locator('.text-run:nth-child(2) .chip[tabindex="0"]')
    expect(stop).to_have_attribute("data-at", "7")
    stop.focus()
    page.keyboard.press("Home")
    expect(page.locator(".tip")).to_contain_text("row 0, dropped")
    expect(page.locator(".live")).to_contain_text("row 0, dropped")
    expect(page).to_have_url(re.compile("step=8"))
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_asked_which_row_goes_the_answer_is_the_engines(page: Page, app_url: str) -> None:
    open_page(page, app_url, "policy=h2o&step=16")
    page.get_by_role("button", name="Ask me").click()
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".posed")).to_contain_text("Which row of this head goes next?")
    expect(page.locator(".text-run .next-word").first).to_be_hidden()
    thin = pair(MODEL, prompt_of(MODEL, "cat", ""), "h2o", 16, 3, 0)[1].thin
    gone = next(j for j in range(17) if thin.kept[15][j] and not thin.kept[16][j])
    page.locator(".option", has_text=f"row {gone}").first.click()
    expect(page.locator(".answered")).to_have_attribute("data-right", "true")
    expect(page.locator(".chip.going")).to_have_attribute("data-at", str(gone))


def test_a_dragged_budget_is_computed_anew_and_stays_in_the_address(page: Page, app_url: str) -> None:
    open_page(page, app_url, "step=40")
    expect(page.locator(".text-run header").nth(1)).to_contain_text("16 of 40 rows")
    slider = page.get_by_role("slider", name="Budget, in rows")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".text-run header").nth(1)).to_contain_text("17 of 40 rows")
    expect(page).to_have_url(re.compile("budget=17"))
    assert chips(page, 1)[:40].count("gone") == 23


def test_a_measured_curve_draws_what_there_is_and_can_be_stopped(page: Page, app_url: str) -> None:
    page.goto(app_url)
    switch(page, "Measure", "Cache policies")
    page.get_by_role("radio", name="Loss against memory").click()
    page.get_by_role("button", name="Measure all policies").click()
    expect(page.locator(".stPlotlyChart .js-plotly-plot")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).last.click()
    expect(page.get_by_text("What was measured so far is kept")).to_be_visible()
    expect(page.get_by_role("button", name="Save as CSV")).to_be_visible()
    expect(page.locator(".stPlotlyChart .js-plotly-plot")).to_be_visible()


def test_a_guess_at_who_forgets_is_held_against_what_every_policy_wrote(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/policies?part=which&text=owl&budget=12")
    guess = page.get_by_role("button", name="Window", exact=True)
    guess.click()
    expect(guess).to_have_attribute("aria-pressed", "true")
    answered(page)
    page.get_by_role("button", name="Run all policies").click()
    expect(page.get_by_role("button", name="Save as CSV")).to_be_visible()
    rows = page.locator("table.which tbody tr")
    expect(rows).to_have_count(len(RULES))
    expect(rows.first).to_contain_text("✓ comes back")
    expect(rows.filter(has_text="Window").first).to_contain_text("✗ forgotten")
    expect(rows.filter(has_text="Window").first.locator(".guess")).to_have_text("✓")
    expect(page.get_by_text("Of your guesses")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_nothing_scrolls_sideways_and_axe_finds_nothing(
    page: Page, app_url: str, axe: Callable[[Page], list[str]], width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if width == 390 else "light")
    open_page(page, app_url, "step=60")
    settles(lambda: sideways(page))
    assert axe(page) == []
    if width == 390:
        return
    for part, heading in (
        ("Which one forgets?", "Which policy forgets the name?"),
        ("Loss against memory", "What does forgetting cost?"),
        ("Past the context", "A text without an end"),
        ("The first token", "Does a model need its first token?"),
    ):
        page.get_by_role("radio", name=part).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        answered(page)
        assert axe(page) == []
