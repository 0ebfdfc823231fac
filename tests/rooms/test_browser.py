"""A class in browsers: the teacher's page, and those of two who follow it."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.waiting import holds, settles

WALK = "/walkthrough?stage=2"


@pytest.fixture
def joined(page: Page, browser: Browser, app_url: str) -> Iterator[Callable[..., Page]]:
    """joined(code, width=…): the page of a device of its own that follows the room."""
    contexts = []

    def opened(code: str, **size: int) -> Page:
        viewport = {"width": size.get("width", 1024), "height": size.get("height", 768)}
        contexts.append(browser.new_context(viewport=viewport))  # type: ignore[arg-type]
        student = contexts[-1].new_page()
        student.goto(f"{app_url}/?room={code}")
        expect(student.locator(".class-slot")).to_contain_text("With the class")
        return student

    yield opened
    for context in contexts:
        context.close()


#: What of the bar lies over or under what is said of the class, or is cut.
OVERLAPS = """(slot) => {
  const said = slot.getBoundingClientRect();
  const others = [...slot.closest('.way-root').querySelectorAll('nav button, .path button, .path a')];
  const over = others.filter((other) => {
    const box = other.getBoundingClientRect();
    return other.checkVisibility() && box.right > said.left + 1 && box.left < said.right - 1;
  });
  const cut = slot.scrollWidth > slot.clientWidth + 1 || said.left < 0 || said.height > 44;
  return [...over.map((other) => other.textContent), ...(cut ? ['cut'] : [])];
}"""


def stage(page: Page) -> Locator:
    return page.locator(".told .over")


def open_room(page: Page) -> str:
    page.get_by_role("button", name="Class").click()
    page.get_by_role("button", name="Open a room").click()
    code = page.locator(".room .code")
    expect(code).to_have_text(re.compile(r"^\w{6}$"))
    return code.inner_text()


def answers(page: Page) -> Locator:
    return page.locator(".poll .option")


def test_a_class_follows_answers_explores_and_comes_back(
    page: Page, app_url: str, joined: Callable[..., Page], axe: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{app_url}{WALK}")
    expect(stage(page)).to_contain_text("Stage 2 of 5")
    code = open_room(page)
    student, phone = joined(code), joined(code, width=390, height=844)
    for one in (student, phone):
        expect(stage(one)).to_contain_text("Stage 2 of 5")
        expect(one).not_to_have_url(re.compile("room="))
    expect(page.locator(".whereabouts")).to_contain_text("2 joined · 2 with you")
    assert axe(page) == []
    page.keyboard.press("Escape")

    # Before a stage is shown each answers on their own device. No script runs for any of it.
    runs: list[str] = []
    for one in (student, phone):
        one.on("request", lambda request: runs.append(request.url))
    page.keyboard.press("ArrowRight")
    count = answers(student).count
    expect(answers(student).first).to_be_visible()
    assert axe(student) == []
    expect(answers(page)).to_have_count(count())
    right = page.locator(".poll .counted")
    expect(right).to_have_text("0 of 2 answered")
    answers(student).nth(0).click()
    expect(answers(student).nth(0)).to_have_attribute("aria-pressed", "true")
    holds(answers(phone).nth(0), "(answer) => answer.offsetHeight >= 44")  # a thumb's
    expect(right).to_have_text("1 of 2 answered")
    # It has changed its mind, and touches the token in the picture; another goes there with the keys.
    student.locator("[data-answers='2'] [role=rowheader]").first.click()
    expect(answers(student).nth(1)).to_have_attribute("aria-pressed", "true")
    phone.locator("[data-answers='2'] [role=gridcell]").first.focus()
    phone.keyboard.press("Enter")
    expect(right).to_have_text("2 of 2 answered")
    expect(page.locator(".poll .votes")).to_have_count(0)

    # Then the projector shows how they have answered, then what is right, from the run.
    page.keyboard.press("ArrowRight")
    for one in (page, student, phone):
        expect(one.locator(".poll .votes")).to_have_text(["0", "2", *["0"] * (count() - 2)])
    expect(phone.locator(".poll .counted")).to_have_text("2 answered")
    page.keyboard.press("ArrowRight")
    expect(stage(page)).to_contain_text("Stage 3 of 5")
    verdict = page.locator(".poll .verdict").inner_text()
    for one in (student, phone):
        expect(stage(one)).to_contain_text("Stage 3 of 5")
        expect(one.locator(".poll .verdict")).to_have_text(verdict)
        expect(one).to_have_url(re.compile("stage=3"))
    # Whoever reads a cell on the way asks for what it was made of.
    assert {re.sub(r".*/", "", url) for url in runs if "/operands/" not in url} == {"vote"}

    # To read is no leaving; who steps explores, and comes back with one click.
    student.locator(".history [data-row='3'] [data-part=score]").click()
    expect(student.locator(".tip")).to_be_visible()
    student.locator(".told .focus").click()
    expect(student.locator(".class-slot")).to_contain_text("With the class")
    student.keyboard.press("ArrowLeft")
    expect(stage(student)).to_contain_text("Stage 2 of 5")
    expect(student.locator(".class-slot")).to_contain_text("You are exploring on your own.")
    page.get_by_role("button", name="Class").click()
    expect(page.locator(".whereabouts")).to_contain_text("1 with you · 1 on Walkthrough")
    page.get_by_label("Ask the class before each stage").uncheck()
    page.keyboard.press("Escape")
    page.locator(".next-step").click()
    expect(stage(phone)).to_contain_text("Stage 4 of 5")
    expect(stage(student)).to_contain_text("Stage 2 of 5")
    student.get_by_role("button", name="Back to the class").click()
    expect(stage(student)).to_contain_text("Stage 4 of 5")

    # Another prompt and another page.
    page.get_by_role("button", name="Change prompt or model").click()
    page.get_by_label("Prompt", exact=True).fill("Once upon a time")
    page.get_by_label("Prompt", exact=True).press("Enter")
    for one in (page, student, phone):
        expect(one.locator(".text")).to_contain_text("Once upon a time")
    page.get_by_role("link", name=re.compile("^Next: ")).click()
    for one in (page, student, phone):
        expect(one).to_have_url(re.compile("/avoided_work"))

    page.get_by_role("button", name="Class").click()
    page.get_by_role("button", name="Close the room").click()
    for one in (student, phone):
        expect(one.locator(".class-slot")).to_have_text("The room has ended.")
        assert one.evaluate("[sessionStorage['kv-room'], localStorage['kv-room']]") == [None, None]


def test_the_projector_shows_the_room_the_question_and_the_answers_in_large(
    page: Page, app_url: str, joined: Callable[..., Page]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{app_url}{WALK}")
    expect(stage(page)).to_contain_text("Stage 2 of 5")
    code = open_room(page)  # from a phone, too
    joined(code)
    page.keyboard.press("Escape")
    expect(page.locator(".room .code")).to_be_hidden()
    page.set_viewport_size({"width": 1024, "height": 768})
    page.keyboard.press("f")
    line = page.locator(".room-line")
    expect(line).to_contain_text(f"/join · {code} · 1 joined")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    for seen in (page.locator(".poll .votes").first, page.locator(".poll .focus"), page.locator(".counted")):
        expect(seen).to_be_visible()
        expect(seen).to_have_css("font-size", re.compile(r"^(2[4-9]|[3-9]\d)"))
    cut = "history => history.scrollHeight - history.clientHeight"
    settles(lambda: [] if page.locator(".history").evaluate(cut) == 0 else ["not all tokens are in sight"])
    page.keyboard.press("PageDown")
    expect(page.locator(".poll .verdict")).to_be_visible()
    settles(lambda: [] if page.locator(".history").evaluate(cut) == 0 else ["not all tokens are in sight"])
    # The teacher's page reloads, and has its room.
    page.reload()
    expect(line).to_contain_text(f"/join · {code} · 1 joined")


def test_a_visitor_without_a_room_asks_for_nothing_of_it_and_a_wrong_code_says_so(
    page: Page, app_url: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app_url)
    expect(page.get_by_role("button", name="Class")).to_be_visible()
    assert [url for url in asked if "/rooms" in url] == []
    fresh = page.context.new_page()  # whose console may tell of the refusal
    fresh.goto(f"{app_url}/join")
    fresh.get_by_label("Code").fill("cdf hjk")
    fresh.get_by_role("button", name="Join").click()
    expect(fresh.locator(".class-slot")).to_have_text("There is no room CDFHJK. It may have ended.")
    expect(fresh).to_have_url(re.compile(r"^[^?]*(\?(?!.*room=).*)?$"))
    # On a phone it stands beside the page's name, and can be read to its end.
    for width in (390, 360):
        fresh.set_viewport_size({"width": width, "height": 740})
        settles(lambda: fresh.locator(".class-slot").evaluate(OVERLAPS))


def test_a_class_follows_to_the_part_of_the_timing_lab(
    page: Page, app_url: str, joined: Callable[..., Page]
) -> None:
    page.goto(f"{app_url}/timing")
    expect(page.locator(".rail .stage")).to_have_count(5)
    student = joined(open_room(page))
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    for part, heading in (("4", "why"), ("2", "sweep")):
        page.keyboard.press(part)
        expect(student.locator(f"h2#{heading}")).to_be_in_viewport()
        expect(student.locator(f".rail [data-stage='{part}']")).to_have_attribute("aria-current", "step")
    expect(student.locator(".presenting")).to_have_count(0)
