"""The glossary in a real browser: every door opens what it says."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from explainer.glossary.words import WORDS
from explainer.kit.places import PLACES
from explainer.kit.words import explained
from explainer.pages import PAGES

TITLES = {page.file: page.title for page in PAGES}


def test_every_term_has_its_meaning_and_a_door_that_opens_where_it_can_be_seen(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{app_url}/glossary?prompt=Once+upon+a+time")
    terms = [term for group in WORDS["group"] for term in group["term"]]
    expect(page.locator(".see")).to_have_count(len(terms))
    for entry, term in zip(page.locator("dd").all(), terms, strict=True):
        expect(entry).to_contain_text(explained()[term["explained"]])
    assert axe(page) == []
    opened = set()
    for i, term in enumerate(terms):
        if term["place"] in opened:
            continue
        opened.add(term["place"])
        place = PLACES[term["place"]]
        door = page.locator("dd").nth(i).get_by_role("link")
        expect(door).to_have_text(f"{TITLES[place['page']]}: {place['at']} →")
        door.click()
        expect(page.locator(".way-root nav")).to_contain_text(TITLES[place["page"]] + "▾")
        shows = page.get_by_text(place.get("shows", place["at"])).locator("visible=true").first
        expect(shows).to_be_visible()
        expect(page.locator(".stAlert")).to_have_count(0)
        page.locator(".way-root button", has_text="Look up").click()
        page.get_by_role("link", name="Glossary").click()
        expect(page.locator(".see")).to_have_count(len(terms))
