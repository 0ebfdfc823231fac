"""The code page in a real browser: stepping, code and picture lit together, changes, ways to and fro."""

import re
from collections.abc import Callable

import pytest
import torch
from playwright.sync_api import Page, expect

from explainer.code import runs
from explainer.code.own import CHANGES, text_of
from explainer.code.words import WORDS
from kvengine import load_model, load_tokenizer, trace
from tests.waiting import holds, settles

NAME = "stories-1m-h8-kv8"
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"
IDS = load_tokenizer(NAME).encode(PROMPT)


@pytest.fixture(scope="module")
def line() -> Callable[[str], int]:
    """Which stop a statement is, counted from 1."""
    where = {"position": 13, "layer": 3, "head": 0}
    stops = runs.step(NAME, tuple(IDS), **where, temperature=0.0, seed=0)["stops"]
    return {stop["key"]: i for i, stop in enumerate(stops, start=1)}.__getitem__


def open_line(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(".scene-root .panel").first).to_be_visible()


def now(page: Page) -> str:
    return (page.locator(".l.now code").first.text_content() or "").strip()


def test_the_arrows_step_through_the_files_as_the_program_runs(
    page: Page, app_url: str, line: Callable[[str], int]
) -> None:
    open_line(page, f"{app_url}/code?line={line('__call__.attn.k_rot')}")
    expect(page.locator(".tab[aria-current]")).to_have_text("model.py")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tab[aria-current]")).to_have_text("cache.py")
    expect(page.locator(".l.now")).to_be_in_viewport()
    assert now(page) == "end = self.length + k.shape[2]"
    expect(page.locator("p.never")).to_have_text(WORDS["not_run"])
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".tab[aria-current]")).to_have_text("model.py")
    assert now(page).startswith("k_all, v_all = (k, v) if cache is None")
    expect(page).to_have_url(re.compile(f"line={line('__call__.k_all')}(&|$)"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tab[aria-current]")).to_have_text("cache.py")
    # A line, and a file, can be clicked.
    page.locator(".tab", has_text="generate.py").click()
    page.locator(".l.stop", has_text="ids = torch.tensor").click()
    expect(page.locator(".told h2")).to_have_text(WORDS["line"]["generate.ids"]["title"])
    expect(page).to_have_url(re.compile(f"line={line('generate.ids')}(&|$)"))
    page.reload()
    expect(page.locator(".told h2")).to_have_text(WORDS["line"]["generate.ids"]["title"])


def test_a_cell_says_its_index_and_has_the_number_of_the_engine(page: Page, app_url: str) -> None:
    open_line(page, f"{app_url}/code?stage=4&layer=2&head=3")
    expect(page.locator(".told h2")).to_have_text(WORDS["line"]["__call__.attn.weights"]["title"])
    weights = trace(load_model(NAME), torch.tensor([IDS]))["layers.2.attn.weights"][0, 3, -1]
    page.locator(".side.cached .c").nth(3).hover()
    tip = page.locator(".tip")
    expect(tip).to_contain_text("weights[0, 3, 0, 3]")
    shown = float((tip.locator("b").text_content() or "").removeprefix("= "))
    assert shown == pytest.approx(weights[3], abs=2e-6)
    page.locator(".side.naive .v-row").last.locator(".c").nth(3).hover()
    expect(tip).to_contain_text("weights[0, 3, 13, 3]")
    page.locator(".side.naive .v-row").first.locator(".c").nth(3).hover()
    expect(tip).to_contain_text(WORDS["state"][2])


def test_code_and_picture_are_lit_together(page: Page, app_url: str, line: Callable[[str], int]) -> None:
    open_line(page, f"{app_url}/code?line={line('__call__.k_all')}")
    value = page.locator('.value[data-ref="v-k_all"]')
    page.locator(".l.now .var", has_text="k_all").hover()
    expect(value).to_have_class(re.compile("lit"))
    page.locator(".l.now .no").hover()
    expect(value).not_to_have_class(re.compile("lit"))
    value.locator(".v-name").hover()
    expect(page.locator(".l .var.lit").first).to_have_text("k_all")
    assert page.locator(".l .var.lit").count() > 4


IN_SIGHT = """root => {
  const [code, values, moves] = ['.l.now', '.values', '.moves'].map(
    (name) => root.querySelector(name).getBoundingClientRect());
  return 0 < code.top && code.top < values.top && values.bottom < moves.top;
}"""


def test_on_a_phone_a_line_and_what_it_makes_are_in_sight_together(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_line(page, f"{app_url}/code?stage=2")
    for _ in range(4):
        holds(page.locator(".scene-root"), IN_SIGHT)
        title = page.locator(".told h2").text_content()
        page.locator(".next-step").click()
        expect(page.locator(".told h2")).not_to_have_text(title or "")


def test_the_last_line_leads_to_the_next_token(page: Page, app_url: str) -> None:
    open_line(page, f"{app_url}/code?line=99")
    button = page.get_by_role("button", name="Next token ▸")
    button.click()
    expect(page.locator(".so b")).to_have_text(" Sara")
    expect(page).to_have_url(re.compile(r"line=1&token=14(&|$)"))
    expect(page.locator(".side.naive .token")).to_have_count(15)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".so b")).to_have_text(" to")
    expect(page).to_have_url(re.compile(r"line=\d\d&token=13(&|$)"))


def test_the_walkthrough_s_stage_and_its_lines_lead_to_each_other(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/walkthrough?stage=3&token=14")
    page.locator(".to-code").click()
    expect(page.locator(".scene-root .panel").first).to_be_visible()
    expect(page.locator(".so b")).to_have_text(" Sara")
    expect(page.locator(".told .door")).to_have_text("Stage 3 of the walkthrough →")
    page.locator(".told .door").click()
    expect(page.locator(".stage[aria-current]")).to_have_text(re.compile("Score"))
    expect(page).to_have_url(re.compile(r"token=14"))


CLIPBOARD = "navigator.clipboard.readText()"


def test_each_change_is_run_and_shown_and_its_text_can_be_copied(page: Page, app_url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_line(page, f"{app_url}/code?part=2")
    for i, change in enumerate(CHANGES, start=1):
        if i > 1:
            page.keyboard.press("ArrowRight")
        expect(page.locator(".told h2")).to_have_text(WORDS["change"][change]["title"])
        verdict = "right" if change in ("none", "grow", "expanded") else "wrong"
        expect(page.locator(".outcome")).to_have_attribute("data-verdict", verdict)
        expect(page.locator(".outcome tbody tr")).to_have_count(10)
        page.locator(".copy").click()
        text = text_of(change)
        settles(lambda text=text: [] if page.evaluate(CLIPBOARD) == text else ["another text"])  # type: ignore[misc]
        # The button says so, too, for a moment that can be over before one looks.
        expect(page.locator(".live")).to_have_text("Copied")
        shown = page.locator(".panel .l:not(.removed) code").all_inner_texts()
        assert [line.strip() for line in shown] == [line.strip() for line in text.splitlines()]
        expect(page.locator(".copy")).to_have_text("Copy") if i == 1 else None
    expect(page).to_have_url(re.compile("change=7"))


def test_no_part_has_a_serious_problem_for_assistive_technology(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    page.emulate_media(reduced_motion="reduce")
    for part in ("?line=17", "?part=2&change=4", "?part=3"):
        open_line(page, f"{app_url}/code{part}")
        assert axe(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    for part in ("?part=2&change=2", "?line=24"):
        open_line(page, f"{app_url}/code{part}")
        assert axe(page) == []
