"""Why K and V in a real browser: its numbers are the engine's, and it can be stepped, asked and changed."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explainer.kit.choice import EXAMPLES
from explainer.why_k_and_v.choice import STAGES, WORDS_WRITTEN
from kvengine import Walk, load_model, load_tokenizer
from kvengine.experiments import Premise, recompute
from kvengine.misuse import misuse
from tests.waiting import holds, settles, sideways

NAME = "stories-1m-h8-kv8"
TOKENIZER = load_tokenizer(NAME)
IDS = TOKENIZER.encode(EXAMPLES[0])
N = len(IDS) - 1
LAYER, HEAD = 3, 0

READ_VISIT = """root => {
  const texts = (box) => [...box.querySelectorAll('.c')].map(cell => cell.textContent);
  return {
    q: texts(root.querySelector('[data-part=q]')),
    k: [...root.querySelectorAll('.card [data-part=k]')].map(texts),
    v: [...root.querySelectorAll('.book [data-part=v]')].map(texts),
    weights: [...root.querySelectorAll('.fit')].map(cell => cell.textContent.replace('·', '0')),
    output: texts(root.querySelector('[data-part=output]')),
    names: [...root.querySelectorAll('.card-name')].map(name => name.textContent),
    fresh: [...root.querySelectorAll('.card')].map(card => card.classList.contains('fresh')),
  };
}"""


def number_of(stage: str) -> int:
    return STAGES.index(stage) + 1


def open_stage(page: Page, url: str, stage: str, more: str = "") -> None:
    """Open a stage by its address.

    Who follows a link gets what was linked, of an experiment the outcome: its address is the one that a
    learner copies while looking at that. A link with `ask` asks first.
    """
    page.goto(f"{url}/why_k_and_v?stage={number_of(stage)}{more}")
    expect(page.locator(".rail .stage").first).to_be_visible()
    expect(page.locator(f".scene-root[data-stage='{number_of(stage)}']")).to_be_visible()
    expect(page.locator(".scene-root[data-asking]")).to_have_count(0)
    expect(page.locator(".words .over")).to_have_text(f"Stage {number_of(stage)} of {len(STAGES)}")


def visit(page: Page) -> dict[str, Any]:
    read: dict[str, Any] = page.locator(".scene-root").evaluate(READ_VISIT)
    return read


def shows(texts: list[str] | list[list[str]], values: np.ndarray, *, digits: int = 1) -> None:
    """The texts are the values, rounded to so many digits."""
    shown = np.vectorize(lambda text: float(text.replace("−", "-")))(np.array(texts))
    assert shown.shape == values.shape
    np.testing.assert_allclose(shown, values, atol=0.501 * 10**-digits)


def test_every_number_of_two_visits_is_the_engines(page: Page, app_url: str) -> None:
    walk = Walk(load_model(NAME), IDS, history=N).record(3)
    open_stage(page, app_url, "visit")
    for reader, step in enumerate(walk.steps[:2]):
        expect(page.locator(".asking-row .who")).to_have_text(("“to” asks", "“Sara” asks")[reader])
        seen, rows = visit(page), N + 1 + reader
        shows(seen["q"], step.q[LAYER, HEAD])
        shows(seen["k"], walk.k[LAYER, HEAD, :rows])
        shows(seen["v"], walk.v[LAYER, HEAD, :rows])
        shows(seen["weights"], step.weights[LAYER, HEAD], digits=2)
        shows(seen["output"], step.output[LAYER, HEAD])
        assert seen["fresh"] == [False] * (rows - 1) + [True]
        page.keyboard.press("ArrowRight")
    expect(page.locator(".words")).to_contain_text("Q is read once, K and V again and again")
    page.go_back()


def test_it_is_stepped_read_and_linked_by_keyboard(page: Page, app_url: str) -> None:
    open_stage(page, app_url, "next", "&reader=2")
    expect(page.locator(".asking-row .who")).to_have_text("“and” asks")
    expect(page.locator(".reader.gone")).to_have_text(["togone", "Saragone"])
    page.locator(".reader").nth(3).click()
    expect(page.locator(".asking-row .who")).to_have_text("“said” asks")
    expect(page).to_have_url(re.compile("reader=3"))
    expect(page.locator(".live")).to_contain_text("The next reader asks something else")
    # A cell of a card tells how it came about.
    page.locator(".card [role=gridcell]").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".live")).to_contain_text("key of “(start)”, entry 1")
    expect(page.locator(".live")).to_contain_text("turned with its pair")
    page.keyboard.press("Escape")
    page.locator(".reads-line, .next-step").first.focus()
    page.keyboard.press("ArrowRight")
    # Who reads what: the table follows the picked line.
    expect(page.locator(".reads-of")).to_have_count(3)
    page.locator(".of-k .reads-line").nth(3).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".roles tbody tr").nth(1)).to_contain_text("“went” and every later token")
    expect(page.locator(".roles tbody tr").nth(1)).to_contain_text("13 of 17 turns")
    expect(page.locator(".roles tbody tr").nth(0)).to_contain_text("1 of 17 turns")
    expect(page).to_have_url(re.compile(r"row=4"))
    page.reload()
    expect(page.locator(".roles tbody tr").nth(1)).to_contain_text("“went” and every later token")


def test_an_experiment_is_predicted_and_then_is_what_the_engine_wrote(page: Page, app_url: str) -> None:
    model = load_model(NAME)
    open_stage(page, app_url, "roles")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".posed .focus")).to_contain_text("“to” asks with the query of “ball”")
    assert page.locator(".got").count() == 0 or not page.locator(".got").is_visible()
    page.keyboard.press("1")
    expect(page.locator(".answered")).to_contain_text("Not the same words")
    for stage in ("old_query", "no_keys", "no_values", "swapped", "unturned"):
        if stage != "old_query":
            page.keyboard.press("ArrowRight")
            expect(page.locator(".posed")).to_be_visible()
            page.keyboard.press("ArrowRight")
        outcome = misuse(model, IDS, stage, words=WORDS_WRITTEN)  # type: ignore[arg-type]
        expect(page.locator(".words .over")).to_have_text(f"Stage {number_of(stage)} of {len(STAGES)}")
        written = "".join(page.locator(".got td").all_text_contents())
        text = "".join(TOKENIZER.token_text(i) for i in outcome.token_ids)
        assert written.replace("⏎ ", "\n").replace("⏎", "\n").endswith(text)
        differs = page.locator(".got td:not(.given)").evaluate_all(
            "cells => cells.map(cell => Boolean(cell.querySelector('.other-word')))"
        )
        right = misuse(model, IDS, "right", words=WORDS_WRITTEN).token_ids
        assert differs == [a != b for a, b in zip(outcome.token_ids, right, strict=True)]
        first = differs.index(True)
        expect(page.locator(".got td").nth(first + 1)).to_have_class("first-other")
        shows(visit(page)["weights"], outcome.look.weights[LAYER, HEAD], digits=2)
        expect(page.locator(".facts")).to_contain_text(f"{outcome.difference:.2f}".rstrip("0"))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".posed")).to_be_visible()
    page.keyboard.press("1")
    expect(page.locator(".is-read th")).to_have_text([re.compile("K"), re.compile("V")])
    # Of another prompt it is asked anew, and what has come of it is covered until then.
    page.get_by_role("button", name="Change prompt or model").click()
    page.get_by_label("Prompt").fill("Lily had a red ball. Tom had a blue")
    page.keyboard.press("Enter")
    expect(page.locator(".posed .focus")).to_contain_text("Everything that the 10 earlier tokens made")
    expect(page.locator(".everything")).to_be_hidden()
    page.locator(".option").first.click()
    expect(page.locator(".everything caption")).to_contain_text("Kept of the 10 earlier tokens")


def test_another_token_is_exchanged_and_back_restores_it(page: Page, app_url: str) -> None:
    open_stage(page, app_url, "holds")

    def different() -> list[list[bool]]:
        found: list[list[bool]] = page.locator(".held-row:not(.held-tokens)").evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('.held')]"
            ".map(cell => cell.ariaLabel === 'came out differently')).reverse()"
        )
        return found

    for position, token in ((3, "Sara"), (9, "Tom")):
        if position != 3:
            page.locator(".pick-token").nth(position - 1).click()
            expect(page).to_have_url(re.compile(f"changed={position}"))
        expect(page.locator(".pick-token[aria-pressed=true]")).to_have_attribute("title", token)
        found = recompute(load_model(NAME), IDS, Premise(changed=position), ways=False)
        expected = []
        for layer in range(LAYER + 1):
            k = found.tensors[f"layers.{layer}.attn.k_rot"]
            same = np.isclose(k.now[:, :N], k.was, rtol=1e-5, atol=1e-5).all(axis=(0, 2))
            expected.append((~same).tolist())
        settles(lambda right=expected: [] if different() == right else [different(), right])
    page.go_back()
    expect(page.locator(".pick-token[aria-pressed=true]")).to_have_attribute("title", "Sara")
    expect(page.locator(".words")).to_contain_text("12 changed")


def test_a_name_of_ones_own_is_spelled_and_one_that_cannot_be_is_told(page: Page, app_url: str) -> None:
    open_stage(page, app_url, "name")
    expect(page.locator(".piece")).to_have_count(3)
    expect(page.locator(".words .focus")).to_contain_text("“Wenko”")
    page.locator(".name-input").fill("Trixo")
    page.keyboard.press("Enter")
    expect(page.locator(".words .focus")).to_contain_text("“Trixo”")
    expect(page).to_have_url(re.compile("name=Trixo"))
    page.locator(".piece").nth(1).click()
    expect(page.locator(".piece").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("piece=2"))
    page.locator(".name-input").fill("Tom")
    page.keyboard.press("Enter")
    expect(page.locator(".words .focus")).to_contain_text("This name is a single token")
    expect(page.locator(".live")).to_contain_text("This name is a single token")  # and heard
    expect(page.locator(".visit")).to_have_count(0)
    page.locator(".name-input").fill("<b>Zed</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".words .focus")).to_contain_text("“<b>Zed</b>”")
    page.locator(".back").click()
    expect(page.locator(".words")).to_contain_text("Take the mask off")


OVERLAPPING = """cards => cards.map((card) => card.getBoundingClientRect())
  .flatMap((box, i, all) => i && all[i - 1].right > box.left + 1 ? [`card ${i}`] : [])"""


def test_it_fits_every_window_and_a_long_text_is_folded(page: Page, app_url: str) -> None:
    text = "There was a boy named Tim who had a very old red ball and his dog liked to run after it. " * 2
    open_stage(page, app_url, "visit", f"&prompt={text}")
    for width, height in ((1440, 900), (1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        settles(lambda: sideways(page))
        settles(lambda: page.locator(".card").evaluate_all(OVERLAPPING))
    expect(page.locator(".card.folded").first).to_be_visible()
    weights = [float(text.replace("·", "0")) for text in page.locator(".fit").all_text_contents()]
    assert sum(weights) == pytest.approx(1, abs=0.005 * len(weights)), "folded weights are counted"
    for stage in range(2, len(STAGES) + 1):
        page.locator(f".stage[data-stage='{stage}']").click()
        there = page.locator(f".scene-root[data-stage='{stage}'], .scene-root[data-asking]")
        expect(there).to_be_visible()
        if page.locator(".scene-root[data-asking]").count():
            page.locator(".next-step").click()
        expect(page.locator(f".scene-root[data-stage='{stage}']")).to_be_visible()
        settles(lambda: sideways(page))
    # On a phone the first visit is seen without scrolling, but for what is taken home.
    page.locator(".stage[data-stage='1']").click()
    above_the_moves = "e => e.getBoundingClientRect().top < 844 - 56"  # which stand at the foot
    holds(page.locator(".shelf"), above_the_moves)
    expect(page.locator(".stage[data-stage='1']")).to_be_in_viewport()


def test_no_serious_accessibility_violation(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    for i, stage in enumerate(("visit", "roles", "swapped", "everything", "holds", "name")):
        page.emulate_media(color_scheme="dark" if i % 2 else "light", reduced_motion="reduce")
        open_stage(page, app_url, stage)
        assert axe(page) == [], stage
