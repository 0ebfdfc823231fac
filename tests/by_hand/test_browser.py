"""The hand page in a real browser: its numbers, its fields, its sheet, and who can use it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explainer.by_hand.choice import STEPS, HandChoice, given
from explainer.by_hand.runs import runs_of
from explainer.by_hand.scene import on_paper
from tests.waiting import holds, settles, sideways

#: Numbers of a learner: no fraction comes of them.
OWN = "unit=1&wq=" + "+".join(["1/2", "0", "-1", "0.25"] * 4)

#: What each step computes, by the name of that part of the picture; round one ends with step 9.
COMPUTED = {
    2: ("q",),
    3: ("k",),
    4: ("v",),
    6: ("score",),
    7: ("score", "weight"),
    8: ("weight", "v", "z"),
    9: ("z", "r", "logit"),
    11: ("q", "k", "v"),
    12: ("k", "v"),
    14: ("score", "weight"),
    15: ("weight", "v", "z"),
    16: ("z", "r", "logit"),
}


def open_page(page: Page, app_url: str, query: str = "") -> None:
    page.goto(f"{app_url}/by_hand?{query}")
    expect(page.locator(".calculation table").first).to_be_visible()


def shown(page: Page, part: str) -> list[str]:
    return page.locator(f".calculation td.n[data-ref={part}] > b").all_inner_texts()


def expected(rounds: list[dict[str, Any]], step: int, part: str, unit: str) -> list[str]:
    i = 0 if step < 10 else 1
    found = rounds[i][{"score": "scores", "weight": "weights", "r": "sum", "logit": "logits"}.get(part, part)]
    if part in "kv":
        rows = found[3:] if step == 11 else found
        return [text for row in rows for text in row]
    if part == "score" and unit:
        times = {"0": "0", "1": unit, "−1": f"−{unit}"}
        return [times.get(text, f"{text} {unit}") for text in found]
    return list(found)


@pytest.mark.parametrize("query", ["", OWN])
def test_every_number_of_both_rounds_is_the_engines(page: Page, app_url: str, query: str) -> None:
    params = dict(part.split("=") for part in query.split("&")) if query else {}
    chosen, _ = given(HandChoice(**{name: text.replace("+", " ") for name, text in params.items()}))
    right = runs_of(chosen.numbers, chosen.prompt).rounds[""]
    rounds = [on_paper(part, chosen.numbers) for part in right]
    open_page(page, app_url, query)
    for step in range(1, STEPS + 1):
        expect(page.locator(".words .over")).to_contain_text(f"step {step} of {STEPS}")
        for part in COMPUTED.get(step, ()):
            texts = expected(rounds, step, part, "" if params else "ln 2")
            assert shown(page, part) == texts, (step, part)
        if step >= 12:
            for part in "kv":
                kept = page.locator(f".paper td.cached[data-ref={part}] > b").all_inner_texts()
                assert kept == [text for row in rounds[0][part] for text in row]
                assert page.locator(f".paper td.fresh[data-ref={part}]").count() == 4
        page.keyboard.press("ArrowRight")
    expect(page.locator(".next-step")).to_be_disabled()
    if not params:
        expect(page.locator(".text")).to_contain_text("the cat sat down → quietly")
        expect(page.locator(".why")).to_contain_text("largest difference in 53 numbers is 0.")


def test_a_mistake_shows_what_it_spoils_and_stands_in_the_address(page: Page, app_url: str) -> None:
    open_page(page, app_url, "step=13")
    expect(page.locator(".calculation .differs")).to_have_count(0)
    page.get_by_role("button", name="Round two asks with round one's query").click()
    expect(page.locator(".calculation .differs").first).to_be_visible()
    assert shown(page, "q") == ["0", "4", "0", "2"]
    page.keyboard.press("ArrowRight")
    expect(page.locator(".missed")).to_contain_text("“down” wins, and it should be “quietly”.")
    expect(page.locator(".calculation .right").first).to_have_text("right: 1/8")
    expect(page).to_have_url(re.compile(r"step=14&wrong=q"))
    page.reload()
    expect(page.locator(".missed")).to_contain_text("it should be “quietly”")
    pressed = page.locator(".mistake[aria-pressed=true]")
    expect(pressed).to_have_count(1)
    pressed.focus()
    page.keyboard.press("Space")
    expect(page.locator(".calculation .differs")).to_have_count(0)
    expect(page.locator(".mistake:focus")).to_have_count(1)


def test_numbers_are_changed_refused_and_brought_back(page: Page, app_url: str) -> None:
    open_page(page, app_url, "step=2")
    page.get_by_role("button", name="Change the numbers").press("Enter")
    field = page.get_by_label("W_Q, row 2, column 1", exact=True)
    other = page.get_by_label("W_K, row 1, column 1", exact=True)
    first = page.locator(".calculation td[data-ref=q] > b").first
    field.fill("3")
    page.keyboard.press("Tab")
    expect(first).to_have_text("6")
    expect(page).to_have_url(re.compile(r"wq=0\+0\+1\+0\+3\+"))
    for bad, why in (("abc", "no number for paper"), ("", "is empty"), ("99", "too large")):
        other.fill(bad)
        page.keyboard.press("Tab")
        expect(page.locator(".refused")).to_contain_text(why)
        expect(other).to_have_attribute("aria-invalid", "true")
        expect(other).to_have_value(bad)
        expect(first).to_have_text("6")
    other.fill("<b>1/2")
    page.keyboard.press("Tab")
    expect(page.locator(".refused")).to_contain_text("“<b>1/2” is no number")
    other.fill("1/2")
    page.keyboard.press("Tab")
    expect(page.locator(".refused")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"wk=1(/|%2F)2\+"))
    page.get_by_label("word 3", exact=True).select_option("cat")
    expect(page.locator(".text")).to_have_text("the cat cat")
    other.fill("two")
    page.keyboard.press("Tab")
    expect(page.locator(".refused")).to_be_visible()
    page.get_by_role("button", name="Back to the example").click()
    expect(page.locator(".refused")).to_be_hidden()
    expect(first).to_have_text("0")
    expect(field).to_have_value("0")
    expect(page).not_to_have_url(re.compile("w[qk]="))
    page.go_back()
    expect(page.locator(".text")).to_have_text("the cat cat")
    expect(other).to_have_value("1/2")


LONG = "unit=1&step=7&" + "&".join(
    f"{name}={'+'.join(['-8.88', '7/9', '-0.01', '8.13'] * rows)}"
    for name, rows in (("x", 5), ("wq", 4), ("wk", 4), ("wv", 4))
)


@pytest.mark.parametrize("query", ["", LONG, "&wq=-9.5"])  # the last is refused, and a note says so
def test_the_sheet_is_two_pages_with_and_without_solutions(page: Page, app_url: str, query: str) -> None:
    open_page(page, app_url, query)
    page.evaluate("() => { window.printed = 0; window.print = () => void (window.printed += 1); }")
    for n, (name, solved) in enumerate((("Print exercises", False), ("Print solutions", True)), start=1):
        page.get_by_role("button", name=name).click()
        holds(page.locator("body"), f"() => window.printed === {n}")
        pdf = page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b(?!s)", pdf)) == 2
        assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12][.\d]*\]", pdf)
        page.emulate_media(media="print")
        assert page.locator(".sheet article").count() == 2
        expect(page.locator(".sheet h1").first).to_be_visible()
        expect(page.locator(".rail")).to_be_hidden()
        results = page.locator(".sheet .n[data-ref=logit] > b")
        assert results.count() == (10 if solved else 0)
        boxes = page.locator(".sheet td.to-fill")
        assert boxes.filter(visible=True).count() == boxes.count()
        assert (boxes.count() > 80) != solved, "what is to be calculated has a box to be written into"
        if not query:
            text = page.locator(".sheet article").nth(1).inner_text()
            assert ("Next word: quietly" in text) == solved
            assert "the cat sat down" not in text or solved, "the exercise gives nothing away"
        page.emulate_media(media="null")


def test_questions_are_asked_and_explained(page: Page, app_url: str) -> None:
    open_page(page, app_url, "ask=1")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".asking")).to_contain_text("How many queries does that take?")
    page.get_by_role("button", name="3, one a word").click()
    expect(page.locator(".asking")).to_contain_text("a query is only asked by the last one")
    expect(page.locator(".words .over")).to_contain_text("step 2 of")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_nothing_scrolls_sideways_and_axe_finds_nothing(
    page: Page, app_url: str, axe: Callable[[Page], list[str]], width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if width == 390 else "light", reduced_motion="reduce")
    open_page(page, app_url, "step=16&wrong=n")  # the widest numbers
    page.get_by_role("button", name="Change the numbers").click()
    expect(page.locator(".editor")).to_be_visible()
    settles(lambda: sideways(page))
    assert axe(page) == []
    page.get_by_role("button", name="Change the numbers").click()
    expect(page.locator(".editor")).to_be_hidden()
    for name in ("Keys", "q, k, v"):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator(".rail [aria-current]")).to_have_text(name)
        holds(page.locator(".calculation"), "box => box.scrollWidth <= box.clientWidth")
    if width == 1440:
        holds(page.locator(".paper"), "e => e.getBoundingClientRect().bottom <= innerHeight")
