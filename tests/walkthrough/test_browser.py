"""The walkthrough in a real browser: what it shows, how it moves, and who can use it."""

import re
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explainer.state import EXAMPLES
from kvengine import Walk, load_model, load_tokenizer

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
    meter: [...root.querySelectorAll('.meter b')].map(b => Number(b.textContent.replaceAll(',', ''))),
  };
}"""


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator(".scene .line").first).to_be_visible()


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
    walk = Walk(load_model(name), ids, history=len(ids) - 1)
    walk.extend(4)
    open_page(page, f"{app_url}/?heads={heads}&kv={heads}&layer={layer}&head={head}")
    for i in range(3):
        for stage in range(1, 6):
            step = walk.steps[i + 1 if stage == 5 else i]
            attention = {key: step.trace[f"layers.{layer}.attn.{key}"][0, head, 0] for key in ("q_rot", "z")}
            scores, weights = (
                step.trace[f"layers.{layer}.attn.{key}"][0, head, 0] for key in ("scores", "weights")
            )
            n = step.position
            expect(page.locator(".over")).to_contain_text(
                f"Stage {stage} of 5 · token {walk.steps[i].position}"
            )
            now = read(page)
            shows(now["q"], attention["q_rot"])
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
                shows(now["output"], attention["z"])
            proof = walk.steps[i].proof
            assert proof.same_token
            assert proof.equal
            assert "cached = naive" in now["proof"]
            assert "same next token" in now["proof"]
            cached, naive = now["meter"]
            assert naive == cached * (n + 1)
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
    assert "Stage 3 of 5" in page.locator(".over").inner_text(), "in the grid the arrows read cells"
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()


def test_a_cell_shows_the_arithmetic_that_gives_its_number(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?stage=4")
    walk = Walk(
        load_model("stories-1m-h8-kv8"), load_tokenizer("stories-1m-h8-kv8").encode(EXAMPLES[0]), history=13
    )
    walk.extend(1)
    trace = walk.steps[0].trace
    expected = {
        "[data-row='3'] [data-part=k] .c >> nth=7": walk.k[3, 0, 3, 7],
        "[data-row='13'] [data-part=v] .c >> nth=2": walk.v[3, 0, 13, 2],
        ".query .c >> nth=1": trace["layers.3.attn.q_rot"][0, 0, 0, 1],
        "[data-row='3'] [data-part=score]": trace["layers.3.attn.scores"][0, 0, 0, 3],
        "[data-row='3'] [data-part=weight]": trace["layers.3.attn.weights"][0, 0, 0, 3],
        ".output .c >> nth=5": trace["layers.3.attn.z"][0, 0, 0, 5],
    }
    for cell, value in expected.items():
        page.locator(cell).hover()
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
    overflow = page.evaluate("document.querySelector('.stMain').scrollWidth - innerWidth")
    assert overflow <= 0
    for element in page.locator(".scene-root :is(.scene, .rail, .story, .text)").all():
        assert element.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    if width > 390:
        bottom = page.locator(".meter").bounding_box()
        assert bottom is not None
        assert bottom["y"] + bottom["height"] <= height


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
        ("a story " * 1250, "tokens, and the model was trained on"),
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
    page.get_by_label("Head", exact=True).last.select_option("5")
    expect(page.locator(".history")).to_have_attribute(
        "aria-label", "Keys and values of layer 3, head 5; arrow keys read the cells"
    )
    assert read(page)["scores"] != before
    expect(page).to_have_url(re.compile(r"prompt=The\+dog.*head=5.*stage=3"))


def test_play_goes_on_by_itself_and_a_key_stops_it(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.get_by_label("Speed").select_option("2×")
    page.get_by_label("Play").click()
    expect(page.locator(".over")).to_contain_text("Stage 2 of 5")
    page.get_by_label("Pause").click()
    expect(page.get_by_label("Play")).to_be_visible()


def test_a_learner_can_be_asked_before_each_stage(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    page.get_by_label("Ask me before each stage").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Before stage 2 of 5")
    assert read(page)["stage"] == 1, "the scene waits for the answer"
    page.get_by_role("button", name="13", exact=True).click()
    expect(page.locator(".verdict")).to_have_text("✗ It is 0.")
    expect(page.locator(".over")).to_contain_text("Stage 2 of 5")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="14", exact=True).click()
    expect(page.locator(".verdict")).to_have_text("✓ Right.")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Sara", exact=True).click()
    expect(page.locator(".verdict")).to_have_text("✓ Right.")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Before stage 5 of 5")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Stage 5 of 5")
    expect(page).to_have_url(re.compile("ask=1"))


def test_the_walk_ends_where_the_model_does(page: Page, app_url: str) -> None:
    open_page(page, f"{app_url}/?length=510&stage=4")
    for key in ("ArrowRight",) * 5:
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    expect(page.locator(".over")).to_contain_text("Stage 4 of 5 · token 511")
    expect(page.locator(".next-step")).to_be_disabled()
