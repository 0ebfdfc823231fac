"""The walkthrough with a real language model, in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Page, Route, expect

from explainer.kit import cache
from explainer.kit.choice import EXAMPLES, OPENS_AT
from kvengine import Walk
from kvengine.weights import SMOLLM2

LAYER, HEAD = OPENS_AT[SMOLLM2]


def test_its_numbers_are_the_engines_and_its_mark_says_proved_when_it_is_and_not_before(
    page: Page, app_url: str, axe: Callable[[Page], list[str]]
) -> None:
    ids = cache.prompt_tokens(SMOLLM2, EXAMPLES[0])
    step = Walk(cache.model(SMOLLM2), ids, history=len(ids) - 1).record(1).steps[0]
    weights = step.weights[LAYER, HEAD]
    assert step.next_token == ids[int(weights.argmax())], "the head looks at the token that comes next"
    assert step.proof

    # Until this test lets it through, the server does not hear that somebody wants the proof.
    said: dict[str, Any] = {"proofs": {}, "ahead": None, "given_up": True}

    def answer(route: Route) -> None:
        if said:
            route.fulfill(json=said)
        else:
            route.continue_()

    page.route("**/proofs/*", answer)
    page.goto(f"{app_url}/walkthrough?model={SMOLLM2}&stage=4")
    expect(page.locator(".over")).to_contain_text(f"Stage 4 of 5 · token {step.position}")
    expect(page).to_have_url(re.compile(f"layer={LAYER}&head={HEAD}"))
    shown = page.locator(".history .line:not([hidden]) [data-part=weight]").all_text_contents()
    np.testing.assert_allclose([float(text.replace("·", "0")) for text in shown], weights, atol=0.00501)
    mark = page.locator(".proof summary")
    expect(mark).to_contain_text("… not proved")

    # Another head: the page has new data, and asks once more.
    said |= {"ahead": 2, "given_up": False}
    page.get_by_role("gridcell", name=f"layer {LAYER}, head 3").click()
    expect(page.locator(".map-title")).to_have_text(f"Layer {LAYER}, head 3")
    expect(mark).to_have_text("… being proved · 2 other texts are before it")

    # The mark turns without the learner.
    said.clear()
    expect(mark).to_contain_text("✓ cached = naive")
    expect(page.locator(".proof")).to_contain_text(f"{step.proof.numbers:,} numbers were compared")

    # How a number came about is fetched from the weights of this layer, and leads to the number itself.
    page.locator(".history .line:not([hidden]) [data-part=k]").last.hover(position={"x": 5, "y": 5})
    tip = page.locator(".tip")
    expect(tip).to_contain_text("576 products")
    told = tip.inner_text().replace("−", "-")
    value, end = re.search(r"= (-?\d+\.\d+)", told), re.search(r"= (-?\d+\.\d+)\s*$", told)
    assert value
    assert end
    assert abs(float(value[1]) - float(end[1])) <= 0.002
    assert axe(page) == []

    # On a phone the map has all heads still, those that begin a group of their own included.
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".scene-root.phone")).to_be_visible()
    expect(page.locator(".map-head").filter(visible=True)).to_have_count(30 * 9)
