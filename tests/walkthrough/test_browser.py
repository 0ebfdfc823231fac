"""The walkthrough in a real browser: what it shows, how it moves, and who can use it."""

import re
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from explainer.kit.choice import EXAMPLES
from explainer.walkthrough.words import WORDS
from kvengine import Walk, load_model, load_tokenizer
from tests.waiting import holds, settles, sideways

# The numbers of the scene, as they stand in the page.
READ_SCENE = """root => {
  const seen = (node) => getComputedStyle(node).visibility === 'visible';
  // A row too wide for numbers is one strip that carries its values.
  const texts = (box) => box.querySelector('.strip')
    ? [...box.querySelector('.strip').values].map(String)
    : [...box.querySelectorAll('.c')].map(c => c.textContent);
  const part = (name, of = root) => [...of.querySelectorAll(`.history .line:not([hidden]) ${name}`)];
  return {
    stage: Number(root.dataset.stage),
    over: root.querySelector('.over').textContent,
    q: texts(root.querySelector('[data-part=q]')),
    newK: texts(root.querySelector('.new-kv [data-part=k]')),
    newV: texts(root.querySelector('.new-kv [data-part=v]')),
    k: part('[data-part=k]').map(texts),
    v: part('[data-part=v]').map(texts),
    state: [...root.querySelectorAll('.history .line:not([hidden])')].map(
      n => n.classList.contains('pending') ? 'pending' : n.classList.contains('fresh') ? 'fresh' : 'cached'),
    scores: part('[data-part=score]').filter(seen).map(c => c.textContent),
    weights: part('[data-part=weight]').filter(seen).map(c => c.textContent),
    output: texts(root.querySelector('[data-part=output]')),
    outputShown: !root.querySelector('.output').classList.contains('hollow'),
    proof: root.querySelector('.proof').textContent,
    numbers: [...root.querySelectorAll('.picture-area .speaks')]
      .map(box => box.dataset.part).sort().join(' '),
    meter: [...root.querySelectorAll('.meter b')].map(b => Number(b.textContent.replaceAll(',', ''))),
  };
}"""


# What carries numbers in each stage.
SPEAKING = {1: {"k", "q", "v"}, 2: {"k", "v"}, 3: {"k", "q"}, 4: {"output", "v"}, 5: {"q"}}


def open_page(page: Page, url: str) -> None:
    app, _, query = url.replace("/walkthrough?", "/?").partition("/?")
    page.goto(f"{app}/walkthrough?{query}")
    expect(page.locator(".history .line").first).to_be_visible()


def read(page: Page) -> dict[str, Any]:
    state: dict[str, Any] = page.locator(".scene-root").evaluate(READ_SCENE)
    return state


def shows(texts: list[str], values: np.ndarray, *, digits: int = 1) -> None:
    """The texts are the values, rounded to so many digits."""
    shown = np.array([float(text.replace("−", "-")) for text in texts])
    assert shown.shape == values.shape
    np.testing.assert_allclose(shown, values, atol=0.501 * 10**-digits)


@pytest.mark.parametrize(("heads", "layer", "head"), [(8, 3, 0), (4, 1, 2)])
def test_every_number_of_three_tokens_is_the_engines(
    page: Page, app_url: str, heads: int, layer: int, head: int
) -> None:
    name = f"stories-1m-h{heads}-kv{heads}"
    ids = load_tokenizer(name).encode(EXAMPLES[0])
    walk = Walk(load_model(name), ids, history=len(ids) - 1).record(4)
    open_page(page, f"{app_url}/?heads={heads}&kv={heads}&layer={layer}&head={head}")
    for i in range(3):
        for stage in range(1, 6):
            step = walk.steps[i + 1 if stage == 5 else i]
            scores, weights = step.scores[layer, head], step.weights[layer, head]
            n = step.position
            expect(page.locator(".over")).to_contain_text(
                f"Stage {stage} of 5 · token {walk.steps[i].position}"
            )
            now = read(page)
            shows(now["q"], step.q[layer, head])
            shows(now["newK"], walk.k[layer, head, n])
            shows(now["newV"], walk.v[layer, head, n])
            for row in range(n):
                shows(now["k"][row], walk.k[layer, head, row])
                shows(now["v"][row], walk.v[layer, head, row])
            new_row = "pending" if stage in (1, 5) else "fresh"
            assert now["state"] == ["cached"] * n + [new_row]
            if stage in (3, 4):
                shows(now["scores"], scores)
            elif stage == 5:
                shows(now["scores"], scores[:-1])
            else:
                assert now["scores"] == []
            assert now["outputShown"] == (stage == 4)
            if stage == 4:
                shows(now["weights"], weights, digits=2)
                shows(now["output"], step.output[layer, head])
            proof = walk.steps[i].proof
            assert proof.same_token
            assert proof.equal
            assert "cached = naive" in now["proof"]
            assert "same next token" in now["proof"]
            cached, naive = now["meter"]
            assert naive == cached * (n + 1)
            assert set(now["numbers"].split()) == SPEAKING[stage], "what the stage speaks about, and no other"
            assert len(now["numbers"].split()) <= 3
            page.keyboard.press("ArrowRight")


def test_the_address_reopens_exactly_this_state(page: Page, app_url: str) -> None:
    open_page(
        page, f"{app_url}/?prompt={quote(EXAMPLES[2])}&kv=2&heads=8&length=9&layer=1&head=6&temperature=0.7"
    )
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Stage 4 of 5 · token 10")
    expect(page).to_have_url(re.compile("token=10&stage=4"))
    before, address = read(page), page.url
    other = page.context.new_page()
    open_page(other, address)
    expect(other.locator(".over")).to_contain_text("Stage 4 of 5 · token 10")
    assert read(other) == before
    assert other.locator(".text").inner_text() == page.locator(".text").inner_text()


def test_the_keyboard_alone_walks_and_reads(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".over")).to_contain_text("Stage 2 of 5")
    page.locator(".next-step").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5")
    page.keyboard.press("Tab")
    expect(page.locator(".tip")).to_contain_text("query of “to”, token 13, entry 0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tip")).to_contain_text("entry 14")
    assert "Stage 3 of 5" in page.locator(".over").inner_text(), "in the grid the arrows read cells"
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_a_cell_shows_the_arithmetic_that_gives_its_number(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=4")
    ids = load_tokenizer("stories-1m-h8-kv8").encode(EXAMPLES[0])
    walk = Walk(load_model("stories-1m-h8-kv8"), ids, history=13).record(1)
    step = walk.steps[0]
    expected = {
        "[data-row='3'] [data-part=k] .c >> nth=7": walk.k[3, 0, 3, 7],
        "[data-row='13'] [data-part=v] .c >> nth=2": walk.v[3, 0, 13, 2],
        ".query .c >> nth=1": step.q[3, 0, 1],
        "[data-row='3'] [data-part=score]": step.scores[3, 0, 3],
        "[data-row='3'] [data-part=weight]": step.weights[3, 0, 3],
        ".output .c >> nth=5": step.output[3, 0, 5],
    }
    for cell, value in expected.items():
        page.mouse.move(5, 5)
        expect(page.locator(".tip")).to_be_hidden()
        page.locator(cell).hover()
        expect(page.locator(".tip")).to_be_visible()
        expect(page.locator(".tip p")).not_to_have_count(2)  # the operands come when first asked for
        title, *lines = (line for line in page.locator(".tip").inner_text().splitlines() if line)
        for text in (title, lines[-1]):  # the engine's number, and what the arithmetic on the page comes to
            assert float(text.rsplit("= ", 1)[1].replace("−", "-")) == pytest.approx(value, abs=2e-3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_violation(page: Page, app_url: str, axe: Any, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    open_page(page, app_url)
    for stage in range(1, 6):
        expect(page.locator(".over")).to_contain_text(f"Stage {stage} of 5")
        assert axe(page) == []
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_scrolls_sideways_and_a_projector_shows_it_whole(
    page: Page, app_url: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_page(page, f"{app_url}/?length=16&stage=4")
    settles(lambda: sideways(page))
    parts = page.locator(".scene-root :is(.picture-area, .rail, .story, .text)")
    expect(parts).to_have_count(4)
    wider = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className)"
    settles(lambda: parts.evaluate_all(wider))
    if width > 390:
        expect(page.locator(".meter")).to_be_in_viewport(ratio=1)
        page.keyboard.press("ArrowRight")  # the stage with most to say; the controls have folded away
        expect(page.locator(".over")).to_contain_text("Stage 5 of 5")
        expect(page.locator(".why")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1440, 900), (1024, 768)])
def test_the_stage_with_most_to_say_fits_beside_the_controls(
    page: Page, app_url: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_page(page, f"{app_url}/walkthrough?stage=5")
    expect(page.locator(".over")).to_contain_text("Stage 5 of 5")
    holds(page.get_by_test_id("stMain"), "main => main.scrollHeight <= main.clientHeight")


def test_nonsense_in_the_address_is_told_and_the_page_goes_on(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?heads=3&kv=banana&length=99999&layer=-4&stage=9&temperature=nan&token=abc")
    alert = page.locator(".stAlert").first
    for part in ("kv=banana", "99999", "-4", "nan", "token=abc", "3 heads"):
        expect(alert).to_contain_text(part)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5")


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("", "The prompt is empty"),
        ("a story " * 1250, "The model has 512 positions"),
        ("🙂 мир 你好", None),
    ],
)
def test_unusual_prompts_give_a_sensible_state(
    page: Page, app_url: str, prompt: str, told: str | None
) -> None:
    open_page(page, f"{app_url}/?prompt={quote(prompt)}")
    if told:
        expect(page.locator(".stAlert")).to_contain_text(told)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Stage 2 of 5")


def test_a_typed_prompt_and_another_head_are_taken_over(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=3")
    page.get_by_label("Prompt").fill("The dog saw a cat and")
    page.keyboard.press("Enter")
    expect(page.locator(".text")).to_contain_text("The dog saw a cat and")
    expect(page.locator(".over")).to_contain_text("Stage 3 of 5")
    before = read(page)["scores"]
    page.get_by_role("gridcell", name="layer 3, head 5").click()
    expect(page.locator(".history")).to_have_attribute(
        "aria-label", "Keys and values of layer 3, head 5; arrow keys read the cells"
    )
    assert read(page)["scores"] != before
    expect(page).to_have_url(re.compile(r"prompt=The\+dog.*head=5.*stage=3"))


PICK_TWO = """async (root, heads) => {
  const pick = ([layer, head]) => root.querySelector(`[aria-label*="layer ${layer}, head ${head}"]`).click();
  pick(heads[0]);
  await new Promise(done => setTimeout(done, 20)); // the first is on its way, its address not yet back
  pick(heads[1]);
}"""


def test_of_two_heads_picked_quickly_the_second_stays(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    for heads in ((1, 5), (2, 3)), ((0, 2), (1, 4)), ((3, 1), (0, 6)):
        page.locator(".scene-root").evaluate(PICK_TWO, heads)
        layer, head = heads[1]
        expect(page).to_have_url(re.compile(f"layer={layer}&head={head}"))
        page.wait_for_timeout(300)
        expect(page.locator(".map-title")).to_have_text(f"Layer {layer}, head {head}")


def test_play_goes_on_by_itself_and_a_key_stops_it(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.get_by_label("Speed").select_option("2×")
    page.get_by_label("Play").click()
    expect(page.locator(".over")).to_contain_text(re.compile("Stage [2-5] of 5"))
    page.get_by_label("Pause").click()
    expect(page.get_by_label("Play")).to_be_visible()


def test_a_learner_can_be_asked_before_each_stage(page: Page, app_url: str, axe: Any) -> None:
    open_page(page, app_url)
    page.get_by_label("Ask me before each stage").click()
    asking, told = page.locator(".asking"), page.locator(".told")
    options = asking.locator(".option")
    expect(asking).to_contain_text("The text has 14 tokens now.")
    for telling in (told, page.locator(".text .next"), page.locator(".picture-area")):
        expect(telling).to_be_hidden()
    page.locator(".asking .option", has_text="13 tokens").click()
    expect(asking.locator(".verdict")).to_have_text(["✗ Not 13 tokens.", "✓ It is 1 token."])
    expect(asking).to_contain_text("So many tokens stand before “to”.")
    expect(page.locator(".told .over")).to_contain_text("Stage 1 of 5")
    expect(page.locator(".picture-area")).to_be_visible()
    expect(page.locator(".next-step")).to_be_focused()
    page.keyboard.press("Enter")
    expect(asking.locator(".over")).to_have_text("Before stage 2 of 5")
    assert read(page)["stage"] == 1, "the scene waits for the answer"
    expect(told).to_be_hidden()
    expect(options.first).to_be_focused()
    assert axe(page) == []
    page.keyboard.press("1")
    expect(asking.locator(".verdict")).to_have_text("✓ Right: 0 rows.")
    expect(page.locator(".live")).to_contain_text(
        "0 of 13,312 stored numbers changed, in all layers and heads."
    )
    assert axe(page) == []
    page.keyboard.press("ArrowRight")
    expect(asking.locator(".over")).to_have_text("Before stage 3 of 5")
    page.keyboard.press(str(1 + [text[1:] for text in options.all_inner_texts()].index("\n“Sara”")))
    expect(asking.locator(".verdict")).to_have_text("✓ Right: “Sara”.")
    page.keyboard.press("ArrowRight")
    expect(asking).to_contain_text("How much of all the weight does “Sara” get?")
    page.locator(".option", has_text="80%").click()
    expect(asking.locator(".right-so-far")).to_have_text("Right so far: 3 of 4 in this session.")
    page.keyboard.press("ArrowRight")
    expect(asking.locator(".over")).to_have_text("Before stage 5 of 5")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".told .over")).to_contain_text("Stage 5 of 5")
    expect(page).to_have_url(re.compile("ask=1"))
    page.keyboard.press("ArrowRight")
    expect(asking.locator(".over")).to_have_text("Before stage 1 of 5 of the next token")


def test_the_walk_ends_where_the_model_does(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?length=510&stage=4")
    for stage, token in ((5, 510), (1, 511), (2, 511), (3, 511), (4, 511)):
        page.keyboard.press("ArrowRight")
        expect(page.locator(".over")).to_contain_text(f"Stage {stage} of 5 · token {token}")
    expect(page.locator(".next-step")).to_be_disabled()
    expect(page.locator(".ending")).to_contain_text(
        "The model has no position after this one: here the text ends."
    )


def test_back_and_forward_restore_what_the_address_says(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?token=14&stage=2")
    over = page.locator(".over")
    expect(over).to_contain_text("Stage 2 of 5 · token 14")
    page.get_by_role("gridcell", name="layer 1, head 6").click()
    expect(page.locator(".map-title")).to_have_text("Layer 1, head 6")
    expect(page).to_have_url(re.compile(r"layer=1&head=6&token=14&stage=2"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"token=14&stage=4"))
    page.go_back()
    expect(page.locator(".map-title")).to_have_text("Layer 3, head 0")
    expect(over).to_contain_text("Stage 2 of 5 · token 14")
    expect(page).to_have_url(re.compile(r"/walkthrough\?token=14&stage=2$"))
    page.go_forward()
    expect(page.locator(".map-title")).to_have_text("Layer 1, head 6")
    expect(over).to_contain_text("Stage 4 of 5 · token 14")
    page.wait_for_timeout(400)
    expect(page).to_have_url(re.compile(r"layer=1&head=6&token=14&stage=4"))


def test_a_step_back_before_what_was_sent_is_fetched(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?token=20&stage=1")
    over = page.locator(".over")
    for lap in (19, 18, 17, 16):
        for stage in (5, 4, 3, 2, 1):
            page.keyboard.press("ArrowLeft")
            expect(over).to_contain_text(f"Stage {stage} of 5 · token {lap}")


def test_the_numbers_of_all_cells_are_a_key_away_and_in_the_address(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=3")
    quiet = page.locator("[data-row='5'] [data-part=v] .c").first
    expect(quiet).to_have_css("font-size", "0px")
    page.keyboard.press("n")
    expect(quiet).not_to_have_css("font-size", "0px")
    expect(page).to_have_url(re.compile("numbers=1"))
    page.reload()
    expect(page.locator("[data-row='5'] [data-part=v] .c").first).not_to_have_css("font-size", "0px")


def test_words_light_what_they_speak_of(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=4")
    page.locator(".focus [data-ref=best]").hover()
    expect(page.locator(".line.lit .token")).to_have_text("Sara")
    page.locator(".formula [data-ref=output]").hover()
    expect(page.locator(".output .cells.lit")).to_have_count(1)
    page.locator(".output .c").first.hover()
    expect(page.locator(".focus [data-ref=output]")).to_have_class(re.compile("lit"))


def test_a_term_is_explained_to_pointer_and_keyboard(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=4")
    page.locator("[data-term=softmax]").hover()
    expect(page.locator(".tip")).to_contain_text("all weights are positive and add up to one")
    page.mouse.move(5, 5)
    expect(page.locator(".tip")).to_be_hidden()
    page.locator("[data-term=softmax]").focus()
    expect(page.locator(".tip")).to_contain_text("all weights are positive")


def test_the_controls_fold_away_after_the_first_step_and_come_back(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    prompt = page.get_by_label("Prompt", exact=True)
    expect(prompt).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(prompt).to_be_hidden()
    expect(page.locator(".text")).to_contain_text("Tom gave the ball to")
    page.get_by_role("button", name="Change prompt or model").click()
    expect(prompt).to_be_visible()


def test_the_map_is_walked_by_keyboard(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.get_by_role("gridcell", name="layer 3, head 0").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".map-title")).to_have_text("Layer 2, head 1")
    expect(page.locator(".over")).to_contain_text("Stage 1 of 5")


OVERLAPPING = """(root, names) => {
  const boxes = names.map((name) => root.querySelector(name).getBoundingClientRect());
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
    || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  return names.flatMap((name, i) => names.slice(0, i).filter((_, j) => !apart(boxes[i], boxes[j]))
    .map((other) => `${name} lies over ${other}`));
}"""


@pytest.mark.parametrize("width", [683, 768, 1024])
def test_nothing_lies_over_anything_else(page: Page, app_url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    open_page(page, f"{app_url}/?stage=4&prompt={quote(EXAMPLES[3])}")
    names = (".title", ".v-name", ".picture-area .foot .legend", ".words .focus", ".columns .size")
    for name in names:
        expect(page.locator(name).first).to_be_visible()
    settles(lambda: page.locator(".scene-root").evaluate(OVERLAPPING, names))


def test_the_last_column_of_v_is_whole_when_the_rows_scroll(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=4&length=40")
    whole = (
        "box => { const cells = [...box.querySelectorAll('.line:not([hidden]):not(.away)')].at(-1)"
        ".querySelector('[data-part=v]');"
        " const edge = box.getBoundingClientRect().left + box.clientWidth;"
        " return cells.getBoundingClientRect().right <= edge; }"
    )
    holds(page.locator(".history"), whole)


def test_the_scene_grows_with_the_room(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_page(page, f"{app_url}/?stage=4&length=16")
    low = "e => e.getBoundingClientRect().bottom > 0.8 * 1080"
    holds(page.locator(".area"), low)
    large = "e => parseFloat(getComputedStyle(e).fontSize) >= 17"
    holds(page.locator(".focus"), large)


def test_words_that_come_broken_off_are_asked_for_again(page: Page, app_url: str) -> None:
    tries = []

    def broken_once(route: Route) -> None:
        tries.append(route.request.url)
        route.fulfill(body="") if len(tries) == 1 else route.continue_()

    page.route("**/operands/words/**", broken_once)
    open_page(page, f"{app_url}/?stage=1")
    expect(page.locator(".title").first).to_contain_text(WORDS["stage"][0]["title"])
    assert len(tries) == 2
