"""You may have heard, in a real browser: every claim's proof is where its door leads."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from explainer.glossary.words import WORDS as GLOSSARY
from explainer.heard.words import WORDS
from explainer.kit.places import PLACES
from explainer.kit.words import explained
from explainer.pages import PAGES

TITLES = {page.file: page.title for page in PAGES}
#: The glossary's test opens these.
OPENED = {term["place"] for group in GLOSSARY["group"] for term in group["term"]}


def test_every_claim_has_a_verdict_and_a_door_that_opens_its_proof(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{app_url}/heard?kv=4")
    said = WORDS["said"]
    expect(page.locator(".see")).to_have_count(len(said))
    for entry, claim in zip(page.locator(".said > li").all(), said, strict=True):
        expect(entry.get_by_role("heading")).to_have_text(f"“{claim['claim']}”")
        expect(entry).to_contain_text(WORDS["verdict"][claim["verdict"]])
    assert axe(page) == []
    for i, claim in enumerate(said):
        place = PLACES[claim["place"]]
        door = page.locator(".said > li").nth(i).get_by_role("link")
        expect(door).to_have_text(f"{TITLES[place['page']]}: {place['at']} →")
        if claim["place"] in OPENED:
            continue
        door.click()
        expect(page.locator(".way-root nav")).to_contain_text(TITLES[place["page"]] + "▾")
        shows = page.get_by_text(place.get("shows", place["at"])).locator("visible=true").first
        expect(shows).to_be_visible()
        expect(page.locator(".stAlert")).to_have_count(0)
        page.locator(".way-root button", has_text="Look up").click()
        page.get_by_role("link", name="You may have heard").click()
        expect(page.locator(".see")).to_have_count(len(said))


def test_a_term_is_explained_under_the_pointer_and_the_focus(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/heard")
    term = page.locator("[data-term=query]").first
    term.hover()
    expect(page.locator(".tip")).to_contain_text(explained()["query"])
    page.locator("h1").hover()
    expect(page.locator(".tip")).to_be_hidden()
    term.focus()
    expect(page.locator(".tip")).to_contain_text(explained()["query"])
