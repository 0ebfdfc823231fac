"""The start page in a real browser: it plays, it lets choose what to keep, and it leads on."""

import re
from collections.abc import Callable
from itertools import chain, combinations
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from explainer.kit.choice import EXAMPLES
from explainer.start.choice import LETTERS, MOST, PLAYED
from explainer.start.words import WORDS
from kvengine import Transformer, generate, load_model, load_tokenizer
from kvengine.keep import READABLE, go_on
from tests.waiting import answered, holds, settles, sideways

NAME = "stories-1m-h8-kv8"
TOKENIZER = load_tokenizer(NAME)
PROMPT = tuple(TOKENIZER.encode(EXAMPLES[0]))


@pytest.fixture(scope="module")
def model() -> Transformer:
    return load_model(NAME)


def open_still(page: Page, url: str) -> None:
    """Open a place, so that nothing plays."""
    page.goto(url)
    expect(page.locator(".writer:visible .t-row").first).to_be_visible()


def rows(page: Page, side: str) -> Locator:
    return page.locator(f".{side} .t-row")


def states(row: Locator) -> list[str]:
    found: list[str] = row.locator(".t-cell").evaluate_all(
        "cells => cells.map(cell => cell.className.replace(/t-cell|active|folded/g, '').trim())"
    )
    return found


def written(page: Page, side: str) -> str:
    text: str = page.locator(f".{side} .written").text_content() or ""
    return text


def full_text(model: Transformer, words: int) -> str:
    steps = generate(model, PROMPT, max_new_tokens=words, use_cache=False)
    return EXAMPLES[0] + "".join(TOKENIZER.token_text(step.token_id) for step in steps)


# ---- two writers ------------------------------------------------------------------------------------------


#: However late a test looks: while words are missing there is no question.
UNASKED_UNTIL_IT_ENDS = f"""root => root.querySelectorAll('.naive .t-row').length === {PLAYED}
  || !root.querySelector('.question')?.checkVisibility({{ visibilityProperty: true }})"""


def test_a_first_visit_plays_by_itself_and_then_says_what_happened(
    page: Page, app_url: str, model: Transformer
) -> None:
    page.goto(app_url)
    expect(rows(page, "naive").first).to_be_visible()
    holds(page.locator(".scene-root"), UNASKED_UNTIL_IT_ENDS)
    expect(rows(page, "naive")).to_have_count(PLAYED)
    expect(page.locator(".line")).to_contain_text(f"The same {PLAYED} words on both sides, to the last one")
    expect(page.locator(".question")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(rows(page, "naive")).to_have_count(PLAYED)
    assert written(page, "naive") == written(page, "cached") == full_text(model, PLAYED)
    expect(page).to_have_url(re.compile(rf"word={PLAYED}"))
    expect(page.locator(".offer")).to_be_visible()  # behind the line, not in its place
    expect(page.locator(".line")).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".line")).to_be_in_viewport(ratio=1)


def test_the_triangles_are_those_of_the_two_runs(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=6")
    for side, before in (("naive", "again"), ("cached", "read")):
        expect(rows(page, side)).to_have_count(6)
        assert states(rows(page, side).nth(0)) == ["now"] * len(PROMPT)
        for k in range(1, 6):
            assert states(rows(page, side).nth(k)) == [before] * (len(PROMPT) + k - 1) + ["now"]


#: From here on the play's timers run when `aWordLater` is called, and not by the clock: however long a test
#: takes, no word comes meanwhile. `due` is how many there are.
WORD_BY_WORD = """() => {
  const { setTimeout, clearTimeout } = window;
  const held = new Map();
  let last = 0;
  window.setTimeout = (run, ms, ...given) => {
    if (ms !== 700) return setTimeout(run, ms, ...given);
    held.set(`held ${++last}`, run);
    return `held ${last}`;
  };
  window.clearTimeout = (id) => held.delete(id) || clearTimeout(id);
  window.due = () => held.size;
  window.aWordLater = () => {
    const runs = [...held.values()];
    held.clear();
    for (const run of runs) run();
  };
}"""


@pytest.mark.parametrize("stopped_by", ["key", "click", "p", "pause"])
def test_whatever_the_learner_does_ends_the_play(page: Page, app_url: str, stopped_by: str) -> None:
    page.goto(app_url)
    page.evaluate(WORD_BY_WORD)
    expect(rows(page, "naive").first).to_be_visible()
    settles(lambda: [] if page.evaluate("due()") == 1 else ["no word is to come"])
    count = rows(page, "naive").count()
    page.evaluate("aWordLater()")
    expect(rows(page, "naive")).to_have_count(count + 1)
    assert page.evaluate("due()") == 1
    if stopped_by == "click":
        page.locator(".lead").click()
    elif stopped_by == "pause":
        page.get_by_role("button", name="Pause").click()
    else:
        page.keyboard.press("Shift" if stopped_by == "key" else "p")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    assert page.evaluate("due()") == 0
    assert rows(page, "naive").count() == count + 1 < PLAYED


def test_the_arrows_write_and_take_back_words(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=3")
    page.keyboard.press("ArrowRight")
    expect(rows(page, "cached")).to_have_count(4)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(rows(page, "cached")).to_have_count(2)
    expect(page).to_have_url(re.compile("word=2"))
    for _ in range(MOST):
        page.keyboard.press("ArrowRight")
    expect(rows(page, "naive")).to_have_count(MOST)
    expect(page.locator(".line")).to_contain_text(WORDS["ending"])


def test_where_things_stand_still_the_whole_text_is_there(page: Page, app_url: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(app_url)
    expect(rows(page, "naive")).to_have_count(PLAYED)
    expect(page.locator(".line")).to_contain_text("to the last one")
    page.keyboard.press("ArrowLeft")
    expect(rows(page, "naive")).to_have_count(PLAYED - 1)


def test_another_prompt_is_written_by_itself(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10")
    prompt = page.get_by_label("Prompt", exact=True)
    expect(prompt).to_be_hidden()
    page.get_by_role("button", name="Change prompt or model").click()
    prompt.fill("The sun was hot")
    prompt.press("Enter")
    expect(page.locator(".naive .given")).to_have_text("The sun was hot")
    expect(rows(page, "naive")).to_have_count(PLAYED)
    expect(rows(page, "naive").first).to_contain_text("prompt")


def test_a_cell_tells_what_was_compared(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=4")
    tip = page.locator(".tip")
    rows(page, "naive").nth(2).locator(".t-cell").nth(3).hover()
    expect(tip).to_contain_text(
        "“Sara”, computed again for “and”. 2,176 numbers held against the pass before"
    )
    rows(page, "cached").nth(2).locator(".t-cell").nth(3).hover()
    expect(tip).to_contain_text("“Sara”, not computed for “and”")
    expect(tip).to_contain_text("= 1,024")
    rows(page, "cached").nth(2).locator(".t-cell").last.hover()
    expect(tip).to_contain_text(
        "“and”, computed for the first time. Multiplications of this pass over 1 word"
    )


def test_a_long_prompt_is_folded(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=3&prompt={'a story ' * 40}")
    row = rows(page, "naive").nth(2)
    assert row.locator(".t-cell").count() < 30
    row.locator(".folded").hover()
    expect(page.locator(".tip")).to_contain_text("the first")
    expect(page.locator(".tip")).to_contain_text("largest difference")


# ---- what would you keep? ---------------------------------------------------------------------------------


def test_every_choice_goes_on_as_the_engine_does(page: Page, app_url: str, model: Transformer) -> None:
    """And what nobody reads changes the price alone."""
    open_still(page, f"{app_url}/?word=10&part=2")
    pressed: set[str] = set()
    for kept in map(set, chain.from_iterable(combinations(sorted(READABLE), n) for n in range(4))):
        outcome = go_on(model, PROMPT, frozenset(kept), words=PLAYED)
        text = EXAMPLES[0] + "".join(TOKENIZER.token_text(token_id) for token_id in outcome.token_ids)
        for box in sorted(kept ^ pressed):
            page.locator(f".box-{box}").click()
            expect(page.locator(f".box-{box}")).to_have_attribute("aria-pressed", str(box in kept).lower())
        expect(page.locator(".yours .written")).to_have_text(text)
        sources = {outcome.keys, outcome.values}
        earlier = "lost" if "lost" in sources else "remade" if "again" in sources else "kept"
        last = rows(page, "yours").last
        assert states(last) == [earlier] * (len(PROMPT) + PLAYED - 2) + ["now"]
        right = text == full_text(model, PLAYED)
        assert (page.locator(".yours .other").count() == 0) == right
        expect(page.locator(".verdict")).to_contain_text("goes on as it should" if right else "breaks")
        price = page.locator(".yours .numbers dd").first.inner_text()
        page.locator(".box-weights").click()
        expect(page.locator(".yours .written")).to_have_text(text)
        expect(page.locator(".keep .why")).to_contain_text("weights")
        expect(page.locator(".yours .numbers dd").first).not_to_have_text(price)
        pressed = {*kept, "weights"}
        letters = "".join(letter for letter, box in LETTERS.items() if box in pressed)
        expect(page).to_have_url(re.compile(f"keep={letters}(&|$)"))


def test_the_cache_is_found_and_named(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10")
    page.get_by_role("button", name=WORDS["line"]["question"]).click()
    expect(page.locator(".verdict")).to_have_text(WORDS["verdict"]["broken"])
    page.locator(".box-k").click()
    page.locator(".box-v").click()
    expect(page.locator(".verdict")).to_have_text(WORDS["verdict"]["found"])
    page.locator(".box-x").click()
    expect(page.locator(".verdict")).to_have_text(WORDS["verdict"]["works"])
    expect(page.locator(".keep .why")).to_contain_text("28.7 kB for nothing")
    page.get_by_role("button", name=WORDS["line"]["back"]).click()
    expect(rows(page, "naive")).to_have_count(PLAYED)


def test_the_address_reopens_what_was_kept(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10&part=2&keep=k")
    expect(page.locator(".box-k")).to_have_attribute("aria-pressed", "true")
    page.locator(".box-v").click()
    expect(page).to_have_url(re.compile("keep=kv"))
    expect(page).to_have_url(re.compile("word=10&part=2"))
    page.reload()
    expect(page.locator(".verdict")).to_have_text(WORDS["verdict"]["found"])


# ---- where it leads ---------------------------------------------------------------------------------------


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def test_the_first_door_opens_the_walkthrough_at_the_same_token(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10&heads=4&kv=4")
    page.get_by_role("link", name=WORDS["door"]["walkthrough"]).click()
    expect(page.locator(".over")).to_contain_text("Stage 1 of 5 · token 22")
    expect(page.locator(".name .token").last).to_be_visible()
    assert urlparse(page.url).path == "/walkthrough"
    assert query(page)["heads"] == ["4"]


def test_a_door_can_be_taken_into_a_tab_of_its_own(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10&heads=4&kv=4")
    address = page.get_by_role("link", name=WORDS["door"]["timing"]).get_attribute("href")
    assert address == "timing?heads=4&kv=4"


def test_the_second_door_opens_the_timing_lab_and_back_leads_back(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=10&part=2")
    page.get_by_role("link", name=WORDS["door"]["timing"]).click()
    expect(page).to_have_url(re.compile("/timing"))
    expect(page.get_by_role("button", name=re.compile("race", re.I)).first).to_be_visible()
    answered(page)
    page.go_back()
    expect(page).to_have_url(f"{app_url}/?word=10&part=2")  # this page's own address, at one press
    expect(page.get_by_role("heading", name=WORDS["keep"]["title"])).to_be_visible()


def test_a_click_on_a_cell_opens_its_word_in_the_walkthrough(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=6")
    for row, cell, token in ((0, 13, 13), (4, 17, 17), (4, 3, 3), (0, 0, 1)):
        expect(rows(page, "naive")).to_have_count(6)
        rows(page, "naive").nth(row).locator(".t-cell").nth(cell).click()
        expect(page.locator(".over")).to_contain_text(f"Stage 1 of 5 · token {token}")
        answered(page)
        page.go_back()
        expect(page).to_have_url(f"{app_url}/?word=6&part=1")


def test_an_old_link_opens_the_walkthrough_and_back_leads_back(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/?token=14&stage=3")
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5 · token 14")
    expect(page).to_have_url(re.compile(r"/walkthrough\?token=14&stage=3"))


# ---- for everyone -----------------------------------------------------------------------------------------


#: What does not fit: the page, a row or a number within its box, the foot.
OFF_THE_SCREEN = """root => {
  const main = document.querySelector('.stMain');
  const parts = [...root.querySelectorAll('.writer :is(.t-row, .numbers div)')];
  return [
    main.scrollHeight > main.clientHeight ? 'the page scrolls' : '',
    root.querySelector('.foot').getBoundingClientRect().bottom > innerHeight ? 'the foot is cut' : '',
    ...parts.filter((part) => part.checkVisibility() && part.scrollWidth > part.clientWidth + 1)
      .map((part) => part.className || part.textContent),
  ].filter(Boolean);
}"""


@pytest.mark.parametrize(
    "place",
    [
        *("word=1", "word=10", f"word={MOST}"),
        *("word=10&part=2", "word=10&part=2&keep=xks", "word=10&part=2&keep=kvm"),
    ],
)
def test_it_is_one_screen_scrolls_nowhere_sideways_and_has_no_serious_accessibility_violation(
    page: Page, app_url: str, axe: Callable[[Page], list[str]], place: str
) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    open_still(page, f"{app_url}/?{place}")
    assert axe(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    expect(page.locator(".scene-root")).to_have_class(re.compile("dark"))
    assert axe(page) == []
    for width, height in ((1440, 900), (1024, 768), (768, 844), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        settles(lambda: sideways(page))
        if width >= 1024:
            settles(lambda: page.locator(".scene-root").evaluate(OFF_THE_SCREEN))


def test_the_keyboard_alone_writes_reads_keeps_and_leaves(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=9")
    page.keyboard.press("ArrowRight")
    expect(rows(page, "naive")).to_have_count(PLAYED)
    rows(page, "naive").first.locator(".t-cell").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".live")).to_contain_text("computed again for “Sara”")
    page.keyboard.press("End")
    expect(page.locator(".live")).to_contain_text("“Sara”, computed for the first time")
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()
    page.locator(".question").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".box-k")).to_be_visible()
    page.locator(".box-k").focus()
    page.keyboard.press("Space")
    expect(page.locator(".live")).to_contain_text("The sentence breaks. V is missing.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".live")).to_contain_text("This is a KV cache.")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".writer.naive")).to_be_visible()
    page.get_by_role("link", name=WORDS["door"]["walkthrough"]).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".over")).to_contain_text("Stage 1 of 5 · token 22")


def test_every_row_is_told_to_a_screen_reader(page: Page, app_url: str) -> None:
    open_still(page, f"{app_url}/?word=3")
    for side, last in (
        ("naive", "“and” is added: 15 computed again, 15 of them with the same result, one computed now."),
        ("cached", "“and” is added: 15 read, one computed now."),
    ):
        labels = rows(page, side).evaluate_all("rows => rows.map(row => row.ariaLabel)")
        assert labels[0] == "Prompt: 14 computed. The model writes “Sara”."
        assert labels[2].startswith(last)
