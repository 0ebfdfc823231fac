"""The paths through the pages, without a browser."""

import pytest

from explainer.glossary.words import WORDS as GLOSSARY
from explainer.heard.words import WORDS as HEARD
from explainer.kit.address import fit, parameters, read
from explainer.kit.choice import Common
from explainer.kit.places import PLACES
from explainer.kit.words import explained, terms_in
from explainer.pages import PAGES
from explainer.path.way import ASIDE, TOLD, idea, onward, place, way_of
from kvengine import available_models

FILES = tuple(page.file for page in PAGES)
LARGEST = next(card.config for card in available_models() if card.name == "stories-1m-h8-kv8")


def test_every_path_begins_at_the_start_and_names_no_page_twice() -> None:
    for told in TOLD["path"]:
        assert told["pages"][0] == FILES[0]
        assert len(set(told["pages"])) == len(told["pages"])
        assert {*told["pages"], told["after"]} <= set(FILES)


def test_the_address_knows_as_many_paths_as_there_are() -> None:
    assert parameters(Common)["path"].high == len(TOLD["path"])


@pytest.mark.parametrize("path", range(len(TOLD["path"]) + 1))
def test_next_leads_through_the_whole_way_in_its_order_and_beyond(path: int) -> None:
    way, been = way_of(path, FILES), [FILES[0]]
    while len(been) < len(way.pages):
        been.append(onward(been[-1], way, been))
    assert tuple(been) == way.pages
    assert onward(been[-1], way, been) in FILES


@pytest.mark.parametrize("path", range(len(TOLD["path"]) + 1))
@pytest.mark.parametrize("here", FILES)
def test_no_page_leads_to_itself_whatever_was_seen(path: int, here: str) -> None:
    way = way_of(path, FILES)
    for seen in ({here}, {*way.pages, here}, set(FILES)):
        assert onward(here, way, seen) in set(FILES) - {here}


def test_a_page_that_is_not_there_is_left_out() -> None:
    way = way_of(2, ("start", "timing", "heard"))
    assert way.pages == ("start", "timing", "heard")
    assert onward("start", way, {"start"}) == "timing"


def test_from_beside_a_way_the_next_page_is_the_first_one_not_seen() -> None:
    way = way_of(1, FILES)
    assert onward("glossary", way, {"start", "glossary"}) == way.pages[1]
    assert onward("glossary", way, set(way.pages)) == way.after
    whole = way_of(0, FILES)
    assert onward(whole.pages[-1], whole, {*whole.pages[:3], whole.pages[-1]}) == whole.pages[3]
    assert onward(whole.pages[-1], whole, set(FILES)) == FILES[0]
    assert place("glossary", way, {"start", "glossary"}) == f"1 of {len(way.pages)} seen"
    assert place(way.pages[1], way, set()) == f"2 of {len(way.pages)}"
    assert place("start", way_of(0, FILES), set()) == ""


def test_every_page_says_what_it_tells_and_what_leads_to_it() -> None:
    for page in PAGES:
        told = idea(page.file, page.title)
        assert told["learn"], page.file
        assert told["lead"].endswith((".", "?")), page.file


def test_a_page_of_one_line_is_led_to_by_its_title() -> None:
    assert idea("hello", "Hello") == {"learn": "", "lead": "The next idea: Hello."}


# ---- places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLACES)
def test_a_place_names_a_page_and_parameters_that_it_has_within_their_limits(name: str) -> None:
    place = PLACES[name]
    page = next(page for page in PAGES if page.file == place["page"])
    params, declared = place.get("params", {}), set()
    for kind in filter(None, (Common, page.choice)):
        declared |= {parameter.key for parameter in parameters(kind).values()}
        choice, notes = read(kind, params)
        _, more = fit(choice, LARGEST)
        assert notes + more == []
    assert set(params) <= declared


def test_every_place_is_used_and_every_place_used_is_there() -> None:
    used = {term["place"] for group in GLOSSARY["group"] for term in group["term"]}
    used |= {said["place"] for said in HEARD["said"]}
    assert used == set(PLACES)


def test_every_term_of_the_glossary_is_explained_in_two_sentences() -> None:
    meaning = explained()
    names = [term["explained"] for group in GLOSSARY["group"] for term in group["term"]]
    assert len(set(names)) == len(names) >= 24
    for name in names:
        ends = sum(meaning[name].count(end) for end in (". ", "? ")) + 1
        assert ends == 2, name
        assert meaning[name].endswith(".")


def test_what_is_said_of_the_cache_has_a_verdict_and_terms_that_are_explained() -> None:
    assert len(HEARD["said"]) >= 12
    for said in HEARD["said"]:
        assert said["verdict"] in HEARD["verdict"]
    assert terms_in(HEARD["said"]) <= set(explained())


def test_only_the_glossary_stands_aside() -> None:
    assert {"glossary"} == ASIDE & set(FILES)
