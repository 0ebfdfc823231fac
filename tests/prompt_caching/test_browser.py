"""Prompt caching in a real browser, part by part."""

import re
from collections.abc import Callable, Iterable

import pytest
from playwright.sync_api import Locator, Page, expect

from explainer.prompt_caching.choice import BLOCKS, LONGEST, TEXTS
from explainer.prompt_caching.room import Room, prompt_of
from explainer.prompt_caching.words import WORDS
from kvengine import generate, load_model, load_tokenizer
from tests.waiting import settles, sideways

NAME = "stories-1m-h8-kv8"
PROMPT = TEXTS["prompt"]


def open_part(page: Page, url: str, part: int = 1, more: str = "") -> None:
    page.goto(f"{url}/prompt_caching?part={part}{more}")
    name = list(WORDS["part"])[part - 1]
    expect(page.locator("h1")).to_have_text(WORDS[name]["title"])
    expect(page.locator(f".{name}")).to_be_visible()


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def test_the_second_request_reads_what_the_engine_reads(page: Page, app_url: str) -> None:
    open_part(page, app_url)
    strip, line = page.locator(".strip-of-tokens"), page.locator(".found .line")
    expect(line).to_contain_text("The store was empty: all 105 tokens were computed.")
    button(page, WORDS["requests"]["question"]).click()
    expect(page.locator(".past")).to_have_count(2)
    question = TEXTS["more"]["questions"][0]
    room = Room(NAME, 16, 256)
    texts = (PROMPT["system"], PROMPT["documents"])
    room.send((*texts, PROMPT["question"]), temperature=0.0, seed=0)
    served = room.send((*texts, question), temperature=0.0, seed=0).served
    assert strip.locator(".read").count() == served.reused == 96
    assert strip.locator(".computed").count() == served.computed
    assert strip.locator(".block").count() == 7
    said = strip.locator(".sr")
    expect(said).to_have_text(["(read from the store:)", "(computed:)"])
    assert said.last.evaluate("node => node.nextElementSibling.className").startswith("tk computed")
    tokenizer = load_tokenizer(NAME)
    expect(strip.locator(".answer")).to_have_text(tokenizer.decode(list(served.answer_ids)).strip())
    expect(page.locator(".proof summary")).to_contain_text("Equal to a full prefill")
    assert page.locator(".bar").evaluate_all("bars => bars.map(bar => bar.className.split(' ')[1])") == [
        "read",
        "kept",
        "new",
    ]
    expect(page.locator(".live")).to_contain_text("96 of 103 tokens were read")
    # The time comes from the measuring process, which has to start first.
    expect(page.locator("dl.numbers .naive")).to_be_visible()
    expect(line).to_contain_text(re.compile("the first token (came|took)"))
    # The first request can be looked at again; what is written goes on from where it is.
    page.locator(".past").first.click()
    expect(line).to_contain_text("The store was empty")
    area = page.get_by_label(WORDS["requests"]["name"]["question"], exact=True)
    area.fill("<b>Lily</b> [went](https://a.b)")
    area.press("Control+Enter")
    expect(page.locator(".past")).to_have_count(3)
    expect(page.locator(".past").last).to_contain_text("<b>Lily</b> [went]")
    expect(page).to_have_url(re.compile("question="))


def test_the_store_can_be_another_and_a_prompt_too_long_is_refused(page: Page, app_url: str) -> None:
    open_part(page, app_url)
    page.get_by_label(WORDS["requests"]["set"]["block"]).select_option(str(BLOCKS[-1]))
    expect(page.locator(".found .line")).to_contain_text("the first block is full only with 128")
    expect(page).to_have_url(re.compile("block=128"))
    page.get_by_label(WORDS["requests"]["name"]["documents"]).fill("🙂" * 400)
    button(page, WORDS["requests"]["send"]).click()
    expect(page.locator(".requests .error")).to_contain_text("The model has 512 positions")
    expect(page.locator(".past")).to_have_count(1)
    button(page, WORDS["requests"]["clear"]).click()
    expect(page.locator(".found .line")).to_have_text(WORDS["requests"]["tree"]["empty"])
    page.go_back()
    expect(page.get_by_label(WORDS["requests"]["name"]["documents"])).to_have_value(PROMPT["documents"])


def test_a_mistake_is_guessed_then_shown_layer_by_layer(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 768, "height": 1024})
    open_part(page, app_url, 2)
    expect(page.locator(".layers")).to_have_count(0)
    assert page.locator(".texts .read").count() == 0, "nothing shows the answer before it was given"
    page.locator(".predict .option").last.click()
    expect(page.locator(".predict .verdict")).to_contain_text("✗ Not “104 of 105 tokens”.")
    expect(page.locator(".became .line")).to_contain_text("64 of 105 tokens are read.")
    assert page.locator(".texts .read").count() == 64
    rows = page.locator(".layer-row").evaluate_all("rows => rows.map(row => row.ariaLabel)")
    assert len(rows) == 8
    assert rows[-1] == "layer 0, V: 64 read, 40 the same, but computed again, 1 came out differently"
    assert rows[0].endswith("64 read, 7 the same, but computed again, 34 came out differently")
    button(page, WORDS["mistake"]["temperature"]["name"]).click()
    # Until the page has turned, a click on an answer is one to the question before.
    expect(page.locator(".what")).to_contain_text("The same prompt again, at temperature 1")
    page.get_by_role("button", name="96 of 105 tokens").click()
    expect(page.locator(".predict .verdict")).to_have_text("✓ Right.")
    expect(page.locator(".predict .right-so-far")).to_have_text("Right so far: 1 of 2 in this session.")
    expect(page).to_have_url(re.compile("wrong=6"))
    page.reload()
    expect(page.locator(".what")).to_contain_text("The same prompt again, at temperature 1")
    button(page, WORDS["mistake"]["tie"]["name"]).click()
    expect(page.locator(".what")).to_contain_text(WORDS["mistake"]["tie"]["what"])
    button(page, WORDS["mistakes"]["show"]).click()
    # Which of both it is, the processor's rounding decides.
    expect(page.locator(".outcome")).to_contain_text(
        re.compile("rounding decided which|the same token won both times")
    )


def test_a_document_is_loaded_once_and_asked(page: Page, app_url: str) -> None:
    open_part(page, app_url, 3)
    expect(page.locator(".asked tbody tr")).to_have_count(6)
    question = page.get_by_label("Questions 1")
    expect(question).to_have_attribute("maxlength", str(LONGEST))
    question.fill("Max ran and")
    button(page, WORDS["documents"]["run"]).click()
    expect(page.locator(".asked tbody th").nth(1)).to_contain_text("Max ran and")
    ids = prompt_of(NAME, [TEXTS["ahead"]["document"], "Max ran and"])[0]
    steps = generate(load_model(NAME), ids, max_new_tokens=6, use_cache=False)
    answer = load_tokenizer(NAME).decode([step.token_id for step in steps])
    expect(page.locator(".asked .answer").first).to_contain_text(answer.strip())
    expect(page.locator(".asked")).to_contain_text("✓ the same answers both ways")


def test_rules_and_prices_can_be_changed_and_own_requests_are_priced(page: Page, app_url: str) -> None:
    open_part(page, app_url)
    button(page, WORDS["requests"]["question"]).click()
    expect(page.locator(".past")).to_have_count(2)
    button(page, WORDS["part"]["prices"]).click()
    table = page.locator(".prices table")
    expect(page.locator(".table-box")).to_contain_text("Your 2 requests of the first part")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(6)
    button(page, "Anthropic, Claude Opus 5, 5 minutes").click()
    expect(page.locator(".chosen")).to_contain_text("Opus 5, 5 minutes")
    before = page.locator(".chosen td").all_inner_texts()
    price = page.get_by_label(WORDS["prices"]["field"]["price"])
    expect(price).to_have_value("5")
    price.fill("10")
    price.press("Enter")
    expect(page.locator(".chosen")).to_contain_text("*")
    after = page.locator(".chosen td").all_inner_texts()
    cost = [float(texts[1].removeprefix("$")) for texts in (before, after)]
    assert cost[1] == pytest.approx(2 * cost[0], rel=0.05)
    price.fill("99999")
    price.press("Enter")
    expect(page.locator(".prices .error")).to_contain_text("Held to its limits: Price")
    assert page.locator(".pair-of-charts rect.read").count() == 19
    expect(page.locator(".notes")).to_contain_text("read on 2026-11-23")


def test_routing_is_simulated_for_as_many_machines_as_wanted(page: Page, app_url: str) -> None:
    open_part(page, app_url, 5)
    expect(page.locator(".way")).to_have_count(4)
    expect(page.locator(".way.best")).to_contain_text(WORDS["machines"]["way"]["longest"]["name"])
    page.get_by_label(WORDS["machines"]["machines"]).select_option("1")
    expect(page.locator(".machine")).to_have_count(4)
    assert len(set(page.locator(".way .line").all_inner_texts())) == 1
    assert page.locator(".sq").count() == 4 * 160


@pytest.mark.parametrize(("scheme", "parts"), [("light", range(1, 6)), ("dark", (1, 2))])
def test_every_part_fits_its_window_and_has_no_serious_accessibility_violation(
    page: Page, app_url: str, axe: Callable[[Page], list[str]], scheme: str, parts: Iterable[int]
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for part in parts:
        open_part(page, app_url, part)
        if part == 2:
            button(page, WORDS["mistakes"]["show"]).click()
            expect(page.locator(".layers")).to_be_visible()
        assert axe(page) == [], part
        for width, height in ((768, 1024), (390, 844), (1440, 900)):
            page.set_viewport_size({"width": width, "height": height})
            settles(lambda: sideways(page))


def test_the_keyboard_alone_sends_guesses_and_goes_on(page: Page, app_url: str) -> None:
    open_part(page, app_url)
    button(page, WORDS["requests"]["question"]).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".past")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(page.locator("h1")).to_have_text(WORDS["mistakes"]["title"])
    page.locator(".predict .option").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".live")).to_contain_text("64 of 105 tokens are read.")
    page.get_by_label("Parts").get_by_role("button", name=WORDS["part"]["machines"]).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".way")).to_have_count(4)
    expect(page.locator(".live")).to_contain_text(WORDS["machines"]["title"])
