"""The memory page in a real browser: the volume and its handles, the calculator, heads, blocks, batches."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from explainer.memory.choice import NEW, PARTS
from kvengine import available_models
from kvengine.memory import FORMATS, Shape, kv_bytes
from tests.waiting import PATIENCE_MS, settles, sideways

CARD = next(card for card in available_models() if card.name == "stories-1m-h8-kv8")
PROMPT_TOKENS = 14


def open_part(page: Page, app_url: str, part: str, rest: str = "") -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{app_url}/memory?part={part}{rest}")


def proof(page: Page) -> dict[str, int]:
    """What the page says of the bytes: name -> number."""
    lines = page.locator(".proof dl div").all_inner_texts()
    return {
        line.split("\n")[0]: int(re.sub(r"\D", "", line.split("\n")[-1]))
        for line in (line.strip() for line in lines)
    }


def factor(page: Page, name: str) -> Locator:
    return page.locator(f"[data-factor={name}]")


def test_the_cache_grows_with_the_text_and_its_bytes_are_the_formulas(page: Page, app_url: str) -> None:
    page.goto(f"{app_url}/memory")
    # It plays by itself until somebody does something.
    expect(page.locator(".told h2")).to_contain_text("16 slabs")
    page.keyboard.press("Shift")
    grown = int(page.locator("[data-factor=tokens] b").inner_text()) - PROMPT_TOKENS
    page.keyboard.press("ArrowRight")
    tokens = PROMPT_TOKENS + grown + 1
    expect(factor(page, "tokens").locator("b")).to_have_text(str(tokens))
    expected = kv_bytes(Shape.of(CARD.config), tokens, FORMATS["fp32"])
    allocated = kv_bytes(Shape.of(CARD.config), PROMPT_TOKENS + NEW, FORMATS["fp32"])
    right = {"formula": expected, "tensors, used": expected, "tensors, allocated": allocated}
    settles(lambda: [] if proof(page) == right else [proof(page), right])
    expect(page.locator(".proof")).to_contain_text("✓ The same to the byte.")
    expect(page).to_have_url(re.compile(rf"grown={grown + 2}"))
    page.locator(".volume canvas").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".live")).to_contain_text("16 numbers of K and 16 of V, 4 bytes each: 128 bytes")


def test_every_handle_can_be_dragged_and_agrees_to_the_byte(page: Page, app_url: str) -> None:
    open_part(page, app_url, "now", "&grown=3")
    box = factor(page, "layers").bounding_box()
    assert box
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 10 + 33, box["y"] + 10, steps=4)
    page.mouse.up()
    expect(factor(page, "layers").locator("b")).to_have_text("8")
    expect(page.locator(".proof")).to_contain_text("✓ The same to the byte. The engine has just allocated")
    knob = page.locator(".knob.tokens").bounding_box()
    assert knob
    page.mouse.move(knob["x"] + 11, knob["y"] + 11)
    page.mouse.down()
    page.mouse.move(knob["x"] + 90, knob["y"] + 11, steps=4)
    page.mouse.up()
    # The others by the keyboard, and int8 with its scales.
    for name, key, presses in (("batch", "ArrowRight", 2), ("heads", "ArrowLeft", 1), ("dim", "ArrowUp", 1)):
        for _ in range(presses):
            factor(page, name).press(key)
    for _ in range(3):
        factor(page, "fmt").press("ArrowRight")
    tokens = int(factor(page, "tokens").locator("b").inner_text())
    assert tokens > 16
    expected = kv_bytes(Shape(8, 4, 4, 32), tokens, FORMATS["int8"], batch=3)
    expect(page.locator(".total b")).to_have_text(f"{expected:,}")
    expect(page.locator(".proof")).to_contain_text("✓ The same to the byte. The engine has just allocated")
    right = {"formula": expected, "tensors, allocated": expected}
    settles(lambda: [] if proof(page) == right else [proof(page), right])
    expect(page.locator(".proof")).to_contain_text("8.5 bits a number")
    shape = f"shape=8.4.32.{tokens}.3.int8"
    expect(page).to_have_url(re.compile(re.escape(shape)))
    page.reload()
    expect(page.locator(".total b")).to_have_text(f"{expected:,}")
    expect(page.locator(".proof")).to_contain_text("✓ The same to the byte.")
    page.get_by_role("button", name="Back to the running model").click()
    expect(factor(page, "layers").locator("b")).to_have_text("4")
    expect(page).not_to_have_url(re.compile("shape="))


#: Of each chart: every text inside the picture, the legend above the axes.
CHARTS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap((chart) => {
  const box = chart.querySelector('.main-svg').getBoundingClientRect();
  const top = box.top + chart._fullLayout._size.t;
  const legend = chart.querySelector('.legend')?.getBoundingClientRect();
  const texts = [...chart.querySelectorAll(
    '.ytitle, .xtitle, .xtick text, .ytick text, .annotation-text, .legendtext')];
  const cut = texts.filter((text) => {
    const t = text.getBoundingClientRect();
    return t.left < box.left - 1 || t.right > box.right + 1
      || t.top < box.top - 1 || t.bottom > box.bottom + 1;
  }).map((text) => text.textContent);
  return legend?.height && legend.bottom > top + 2 ? [...cut, 'legend'] : cut;
})"""


def test_the_calculator_answers_and_its_charts_are_whole_at_1024(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    open_part(page, app_url, "model", "&preset=gemma-3-27b")
    expect(page.locator(".kv-sizes")).to_contain_text("10.4 GiB")
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    settles(lambda: page.evaluate(CHARTS))
    page.get_by_role("radio", name="Linear").click()
    expect(page).to_have_url(re.compile("axes=linear"))
    expect(page.locator(".ytick text").get_by_text("0", exact=True)).to_have_count(2)
    settles(lambda: page.evaluate(CHARTS))
    context = page.get_by_role("textbox", name="Context, tokens")
    context.fill("-3")
    context.press("Enter")
    expect(page.get_by_text("context is -3 tokens")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(0)
    context.fill("8k")
    context.press("Enter")
    expect(page.locator(".kv-sizes")).to_contain_text("1.03 GiB")
    expect(page).to_have_url(re.compile("context=8k"))
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()
    assert "Gemma 3 27B,bf16,16.0,8192,1,507904," in saved.value.path().read_text(encoding="utf-8")
    page.go_back()
    expect(page.get_by_text("context is -3 tokens")).to_be_visible()
    settles(lambda: sideways(page))


def test_heads_morph_after_a_question_and_blocks_step(page: Page, app_url: str) -> None:
    open_part(page, app_url, "heads", "&ask=1")
    expect(page.locator(".card")).to_have_count(4)
    page.get_by_role("button", name="Next ▸").click()
    page.get_by_role("button", name="half").click()
    expect(page.locator(".asking")).to_contain_text("512 numbers instead of 1,024")
    expect(page.locator(".card[aria-current]")).to_contain_text("512 numbers a token")
    expect(page).to_have_url(re.compile("sharing=2"))
    page.get_by_role("radio", name=PARTS["blocks"]).click()
    expect(page.locator(".memory.paged")).to_contain_text("wasted")
    page.get_by_role("slider", name="Step").fill("20")
    expect(page.locator(".scrub output")).to_contain_text("step 19")
    expect(page.locator(".memory.rows")).to_contain_text("4 running, 3 waiting, 1 finished")
    expect(page.locator(".memory.paged")).to_contain_text("6 running, 0 waiting, 2 finished")
    expect(page.locator(".proof")).to_contain_text("the same tokens")
    page.get_by_label("Places in a row").fill("1e30")
    page.get_by_label("Places in a row").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("does not fit")


def test_batches_and_the_steps_of_the_trade_are_measured(page: Page, app_url: str) -> None:
    open_part(page, app_url, "speed")
    page.get_by_role("button", name="Measure 1 to 32 texts at once").click()
    expect(page.get_by_text("were written in a batch and alone")).to_be_visible(timeout=3 * PATIENCE_MS)
    rows = page.get_by_test_id("stTable").locator("tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.locator(":is(td, th):first-child")).to_have_text(["1", "2", "4", "8", "16", "32"])
    rates = [float(row.locator("td, th").nth(2).inner_text().replace(",", "")) for row in rows.all()]
    assert all(rate > 0 for rate in rates)
    page.get_by_role("radio", name=PARTS["trade"]).click()
    step = page.locator(".trade tr").filter(has=page.get_by_role("rowheader", name="Time of this step"))
    expect(step).to_contain_text("times as long")
    step.get_by_role("link", name="Timing lab").first.click()
    expect(page).to_have_url(re.compile(f"/timing.*longest={PROMPT_TOKENS}#sweep"))
    expect(page.get_by_role("heading", name="The timing lab")).to_be_visible()
    longest = page.get_by_role("slider", name="Longest text")
    expect(longest).to_have_attribute("aria-valuetext", str(PROMPT_TOKENS))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_is_accessible_and_fits_a_phone(
    page: Page, app_url: str, axe: Callable[[Page], list[str]], scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto(f"{app_url}/memory?part=now&grown=4")
    for part, title in PARTS.items():
        page.get_by_role("radio", name=title).click()
        expect(page).to_have_url(re.compile(f"part={part}" if part != "now" else "memory"))
        shown = {"model": ".kv-sizes", "speed": ".js-plotly-plot", "trade": ".js-plotly-plot"}
        expect(page.locator(shown.get(part, ".scene-root:not([aria-busy]) h1")).first).to_be_visible()
        assert axe(page) == []
        if scheme == "light":
            page.set_viewport_size({"width": 390, "height": 844})
            settles(lambda: sideways(page))
            page.set_viewport_size({"width": 1440, "height": 900})
