"""The avoided work in a real browser: what is repeated, what breaks it, how one steps, who can use it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from explainer.avoided_work.words import KEYS
from explainer.kit.choice import EXAMPLES
from kvengine import load_model, load_tokenizer
from kvengine.compare import State
from kvengine.experiments import Premise, Recomputation, name_of, recompute, text_of_length
from tests.waiting import answered, holds, settles, sideways

MODEL = load_model("stories-1m-h8-kv8")
STEP = {key: step for step, key in enumerate(KEYS, start=1)}  # places on the rail
AGAIN, ALL, READ, KV, WAYS = range(16, 21)
# One cell of each kind of arithmetic: operation, row, column.
CELLS = (
    ("norm", 3, 7),
    ("k", 2, 9),
    ("v", 6, 0),
    ("scores", 4, 1),
    ("weights", 5, 3),
    ("z", 5, 2),
    ("out", 4, 60),
    ("mid", 1, 5),
    ("hidden", 2, 300),
    ("ffn", 3, 100),
    ("post", 6, 127),
)
LOOKS = {
    "again": State.EQUAL,
    "new": State.NEW,
    "different": State.DIFFERENT,
    "masked": State.MASKED,
}

# The cells on the page, counted by what they look like; a row drawn as a strip has its state as a whole.
COUNT = """root => {
  const found = {again: 0, new: 0, different: 0, masked: 0};
  for (const cell of root.querySelectorAll('.one [role=gridcell]'))
    for (const state of Object.keys(found))
      if (cell.classList.contains(state)) found[state] += cell.values ? cell.values.length : 1;
  return found;
}"""


def recomputed(t: int, premise: Premise | None = None) -> Recomputation:
    ids = load_tokenizer("stories-1m-h8-kv8").encode(EXAMPLES[0])
    return recompute(MODEL, text_of_length(MODEL, ids, t + 1), premise, ways=False)


def open_page(page: Page, app_url: str, query: str = "") -> None:
    page.goto(f"{app_url}/avoided_work?{query}")
    expect(page.locator(".head b").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"\bop="))
    if "tokens=" in query:
        rows = int(re.findall(r"tokens=(\d+)", query)[0]) + 1
        expect(page.locator(f'.one .line[data-row="{rows - 1}"]')).to_be_visible()
        expect(page.locator(f'.one .line[data-row="{rows}"]')).to_have_count(0)


def go(page: Page, step: int) -> None:
    page.locator(f'.stage[data-stage="{step}"]').click()
    expect(page.locator(".scene-root")).to_have_attribute("data-stage", str(step))


def drawn(page: Page) -> dict[str, int]:
    counted: dict[str, int] = page.locator(".scene-root").evaluate(COUNT)
    return counted


def told(page: Page) -> dict[str, int]:
    """The counts beside the grid."""
    counts = page.locator(".tally dd").evaluate_all(
        "all => all.map(dd => [dd.dataset.count, Number(dd.textContent.replaceAll(',', ''))])"
    )
    return dict.fromkeys(LOOKS, 0) | dict(counts)


def tip(page: Page) -> list[str]:
    """The lines of the tip, once what they need has been fetched."""
    expect(page.locator(".tip")).to_be_visible()
    expect(page.locator(".tip p").nth(1)).not_to_have_text("…")
    return page.locator(".tip p").all_inner_texts()


# ---- what is drawn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [5, 12])
def test_hatched_orange_and_masked_cells_are_as_many_as_the_arithmetic_says(
    page: Page, app_url: str, t: int
) -> None:
    open_page(page, app_url, f"layer=2&tokens={t}")
    c = MODEL.config
    widths = [c.d_model] * 2 + [c.head_dim] * 3 + [0, 0, c.head_dim] + [c.d_model] * 3
    widths += [c.d_ffn, c.d_model, c.d_model]
    for step, cols in enumerate(widths, start=1):
        go(page, step)
        expect(page.locator(".over")).to_contain_text(f"Operation {step} of 15 · layer 2")
        square = {"again": t * (t + 1) // 2, "new": t + 1, "masked": t * (t + 1) // 2, "different": 0}
        rows = {"again": t * cols, "new": cols, "masked": 0, "different": 0}
        assert drawn(page) == told(page) == (rows if cols else square)


@pytest.mark.parametrize(
    ("query", "premise"), [("premise=-1", Premise(causal=False)), ("premise=3", Premise(changed=3))]
)
def test_an_experiment_shows_what_it_found(page: Page, app_url: str, query: str, premise: Premise) -> None:
    open_page(page, app_url, f"layer=1&head=2&tokens=9&{query}")
    r = recomputed(9, premise)
    expect(page.locator(".finding.broken")).to_be_visible()
    for key in ("k", "scores", "weights", "z"):
        go(page, STEP[key])
        state = r.tensors[name_of(key, 1)].state[2]
        expected = {name: int((state == kind).sum()) for name, kind in LOOKS.items()}
        assert drawn(page) == told(page) == expected
        assert expected["different"] > expected["again"] or premise.causal


def test_each_meaning_has_its_one_look(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6&premise=3")
    go(page, STEP["scores"])
    looks: dict[str, Any] = page.evaluate(
        """() => {
          const root = document.querySelector('.scene-root') ?? [...document.querySelectorAll('*')]
            .map(n => n.shadowRoot?.querySelector('.scene-root')).find(Boolean);
          const of = name => getComputedStyle(root.querySelector(`.one .c.${name}`));
          return {
            row: getComputedStyle(root.querySelector('.hatched')).backgroundImage,
            again: of('again').backgroundImage,
            border: of('different').borderTopStyle,
            different: of('different').backgroundColor,
            fresh: of('new').backgroundColor,
          };
        }"""
    )
    assert looks["row"].count("repeating-linear-gradient") == 2, "one hatch behind a row, and the masked one"
    assert looks["again"] == "none", "no hatch a cell"
    assert looks["border"] == "dashed"
    assert looks["different"] != looks["fresh"]
    go(page, AGAIN)
    fills = "all => all.map(n => getComputedStyle(n).backgroundImage)"
    assert all("gradient" in fill for fill in page.locator(".shot").evaluate_all(fills))
    go(page, KV)
    assert set(page.locator(".shot").evaluate_all(fills)) == {"none"}, "what is kept is solid"


def test_numbers_stand_in_the_new_row_and_in_all_of_them_on_demand(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6")
    go(page, STEP["k"])
    sizes = "all => all.map(c => parseFloat(getComputedStyle(c).fontSize) > 0)"
    shown = page.locator(".one .c").evaluate_all(sizes)
    assert shown == [False] * 6 * 16 + [True] * 16
    page.keyboard.press("n")
    assert all(page.locator(".one .c").evaluate_all(sizes))
    expect(page).to_have_url(re.compile("numbers=1"))


def test_the_experiments_on_the_page_take_the_hatch_away_and_give_it_back(page: Page, app_url: str) -> None:
    open_page(page, app_url, "layer=1&tokens=6")
    go(page, STEP["k"])
    assert drawn(page)["again"] == 6 * 16
    page.get_by_text("no causal mask", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("Without the mask")
    assert drawn(page)["again"] < 6
    page.get_by_text("change a token", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("was replaced by")
    assert 3 * 16 <= drawn(page)["again"] < 4 * 16
    page.get_by_text("as it is", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("✓")
    assert drawn(page)["again"] == 6 * 16
    expect(page.locator(".over")).to_contain_text("Operation 4"), "an experiment leaves the place"


def test_the_largest_difference_is_one_click_away(page: Page, app_url: str) -> None:
    open_page(page, app_url, "layer=2&tokens=9&premise=3")
    page.locator(".jump").click()
    expect(page.locator(".tip")).to_be_visible()
    name, tensor = recomputed(9, Premise(changed=3)).largest
    layer = int(name.split(".")[1])
    expect(page.locator(".over")).to_contain_text(f"layer {layer}")
    said = tip(page)
    assert f"{tensor.was[tensor.where]:.3f}".replace("-", "−") in said[-1]
    assert said[-1].startswith("came out differently")


def test_a_cells_arithmetic_comes_to_its_value_and_is_fetched_when_asked(page: Page, app_url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/operands/" in request.url else None)
    open_page(page, app_url, "layer=1&tokens=6")
    r = recomputed(6)
    for i, (operation, row, col) in enumerate(CELLS):
        go(page, STEP[operation])
        assert len(asked) == (2 if i else 0), "once, and not before somebody points at a cell"
        line = page.locator(f'[role=row][data-row="{row}"]')
        cells = line.locator("[role=gridcell]")
        tensor = r.tensors[name_of(operation, 1)].now
        value = tensor[0, row, col] if tensor.ndim == 3 else tensor[row, col]
        if cells.count() == 1:
            box = cells.bounding_box()
            assert box
            x = (col + 0.5) * box["width"] / tensor.shape[-1]
            cells.hover(position={"x": x, "y": box["height"] / 2})
        else:
            cells.nth(col).hover()
        digits = 4 if operation == "weights" else 3
        said = tip(page)
        text = f"{value:.{digits}f}".replace("-", "−")
        assert said[0].endswith(f"= {text}")
        result = float(said[-2].split("= ")[-1].replace("−", "-"))
        assert result == pytest.approx(float(value), abs=2e-3)
        assert said[-1].startswith("as before" if row < 6 else "new")


def test_the_readout_is_the_last_row_and_names_the_next_token(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    go(page, STEP["readout"])
    expect(page.locator(".one .line[data-row]")).to_have_count(1)
    expect(page.locator(".logits tbody tr")).to_have_count(5)
    expect(page.locator(".logits tbody tr").first).to_contain_text("Sara")


# ---- the reductions --------------------------------------------------------------------------------------


def test_only_k_and_v_stay_bright_where_it_is_shown_what_is_read(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=5")
    go(page, READ)
    kept = page.locator(".layer-map figure[data-fate=kept]").evaluate_all(
        "all => all.map(f => f.dataset.key)"
    )
    assert kept == ["k", "v"]
    expect(page.locator(".focus")).to_contain_text("only K and V")
    go(page, KV)
    gone = page.locator(".layer-map figure[data-fate=gone]")
    expect(gone).to_have_count(12)


def test_three_ways_stand_side_by_side_with_the_same_next_token(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    go(page, WAYS)
    results = page.locator(".ways .result")
    expect(results).to_have_count(3)
    assert len(set(results.all_inner_texts())) == 1
    expect(results.first).to_contain_text("Sara")
    r = recomputed(13)
    floats = 13 * MODEL.config.kv_floats_per_token
    expect(page.locator("[data-way=cached]")).to_contain_text(f"{floats:,} numbers")
    expect(page.locator("[data-way=stored]")).to_contain_text(f"{r.compared:,} numbers")
    # A run of its own: its products have other shapes than those of the naive pass.
    expect(page.locator("[data-way=stored]")).not_to_contain_text("largest difference 0")


# ---- moving ----------------------------------------------------------------------------------------------


def test_keys_and_buttons_step_through_operations_and_reductions(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=5")
    over = page.locator(".over")
    expect(over).to_contain_text("Operation 1 of 15")
    page.locator(".next-step").click()
    page.keyboard.press("ArrowRight")
    expect(over).to_contain_text("Operation 3 of 15")
    page.keyboard.press("ArrowLeft")
    expect(over).to_contain_text("Operation 2 of 15")
    for _ in range(14):
        page.keyboard.press("ArrowRight")
    expect(over).to_contain_text("Reduction 1 of 5")
    expect(page).to_have_url(re.compile("op=16"))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(over).to_contain_text("Reduction 5 of 5")
    expect(page.locator(".next-step")).to_be_disabled()
    expect(page.locator(".ending")).to_contain_text("Here the derivation ends")


def test_back_and_forward_restore_the_head_and_the_operation(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6")
    go(page, STEP["q"])
    expect(page).to_have_url(re.compile("tokens=6&op=3$"))
    page.get_by_role("gridcell", name=re.compile("^layer 3, head 5")).click()
    expect(page.locator(".map-title")).to_have_text("Layer 3, head 5")
    expect(page.locator(".head")).to_contain_text("head 5")
    expect(page).to_have_url(re.compile("head=5&tokens=6&op=3$"))
    go(page, STEP["z"])
    expect(page).to_have_url(re.compile("head=5&tokens=6&op=8$"))
    page.go_back()
    expect(page.locator(".map-title")).to_have_text("Layer 3, head 0")
    expect(page.locator(".over")).to_contain_text("Operation 3 of 15")
    expect(page).to_have_url(re.compile(r"\?tokens=6&op=3$"))
    page.go_forward()
    expect(page.locator(".map-title")).to_have_text("Layer 3, head 5")
    expect(page.locator(".over")).to_contain_text("Operation 8 of 15")


def test_heads_picked_in_haste_end_at_the_last_one(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6&op=4")
    for name in ("layer 3, head 5", "layer 1, head 2", "layer 1, head 6", "layer 2, head 4"):
        page.get_by_role("gridcell", name=re.compile(f"^{name}")).click()
        page.wait_for_timeout(60)
    expect(page.locator(".map-title")).to_have_text("Layer 2, head 4")
    expect(page).to_have_url(re.compile("layer=2&head=4&tokens=6&op=4"))
    page.wait_for_timeout(500)
    expect(page.locator(".map-title")).to_have_text("Layer 2, head 4")


def test_heads_are_small_multiples_or_one_large(page: Page, app_url: str) -> None:
    open_page(page, app_url, "kv=2&tokens=5")
    go(page, STEP["q"])
    page.get_by_role("button", name="all heads").click()
    expect(page.locator(".heads button")).to_have_count(8)
    assert told(page)["again"] == 8 * 5 * 16
    go(page, STEP["k"])
    expect(page.locator(".heads button")).to_have_count(2)
    page.locator(".heads button").nth(1).click()
    expect(page.locator(".map-title")).to_have_text("Layer 3, head 4")
    expect(page.locator(".head")).to_contain_text("head 4 reads KV head 1")
    page.get_by_role("gridcell", name=re.compile("^layer 1, head 4")).click()
    expect(page.locator(".over")).to_contain_text("layer 1")
    expect(page.locator(".head")).to_contain_text("head 4 reads KV head 1")


def test_questions_come_before_the_operations_that_have_one(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6")
    page.get_by_role("button", name="Ask me before each stage").click()
    page.locator(".next-step").click()
    expect(page.locator(".asking")).to_contain_text("there were 6 earlier rows")
    for telling in (page.locator(".finding"), page.locator(".told"), page.locator(".st-key-tells_charts")):
        expect(telling).to_be_hidden()
    page.locator(".option", has_text="6 rows").click()
    expect(page.locator(".verdict")).to_have_text("✓ Right: 6 rows.")
    expect(page.locator(".finding")).to_be_visible()
    expect(page.locator(".over")).to_contain_text("Operation 2")
    page.locator(f'.stage[data-stage="{READ}"]').click()
    page.locator(".option", has_text="Q, K and V").click()
    expect(page.locator(".verdict")).to_have_text(["✗ Not Q, K and V.", "✓ It is K and V."])
    expect(page.locator(".asking")).to_contain_text("The new row asks with its own query.")


def test_a_page_opened_by_its_own_address_shows_what_it_names(browser: Browser, app_url: str) -> None:
    page = browser.new_page()
    page.goto(f"{app_url}/avoided_work?tokens=7&premise=-1&layer=1&head=3&op=8")
    expect(page.locator(".over")).to_contain_text("Operation 8 of 15 · layer 1")
    expect(page.locator(".map-title")).to_have_text("Layer 1, head 3")
    expect(page.locator(".finding")).to_contain_text("Without the mask")
    page.close()


# ---- rooms -----------------------------------------------------------------------------------------------


def test_nothing_scrolls_sideways_and_nothing_is_cut(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=64&premise=3")
    scene = page.locator(".scene-root")
    for width, height in ((1920, 1080), (1440, 900), (1024, 768), (768, 1024), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        expect(scene).to_have_class(
            re.compile("wide" if width > 1200 else "phone" if width < 600 else "scene-root")
        )
        for step in (1, STEP["scores"], STEP["hidden"], READ, WAYS):
            page.locator(f'.stage[data-stage="{step}"]').dispatch_event("click")
            expect(scene).to_have_attribute("data-stage", str(step))
            settles(lambda: sideways(page))
            holds(scene, "root => root.scrollWidth <= root.clientWidth + 1")
        option = page.get_by_text("change a token", exact=True).locator("xpath=ancestor::button")
        whole = "b => b.scrollWidth <= b.clientWidth && b.getBoundingClientRect().right < innerWidth"
        holds(option, whole)


def test_a_line_that_wraps_does_not_change_how_large_the_words_are(page: Page, app_url: str) -> None:
    """Larger words wrap sooner and leave less room: were they to follow it, the page would never rest."""
    page.set_viewport_size({"width": 1920, "height": 1080})
    open_page(page, app_url, f"op={STEP['scores']}")
    after = page.locator(".scene-root").evaluate(
        """async root => {
          const frame = () => new Promise(requestAnimationFrame);
          const sizes = new Set();
          for (const padding of ['0', '60px', '0', '60px']) {
            root.querySelector('.finding').style.paddingBottom = padding;
            for (let i = 0; i < 3; i++) { await frame(); sizes.add(root.style.fontSize); }
          }
          return [...sizes];
        }"""
    )
    assert len(after) == 1, after


@pytest.mark.parametrize("step", ["q", "weights", "hidden"])
def test_on_a_tablet_a_formula_ends_in_its_column(page: Page, app_url: str, step: str) -> None:
    page.set_viewport_size({"width": 768, "height": 1024})
    open_page(page, app_url, f"op={STEP[step]}")
    holds(page.locator(".formula"), "formula => formula.scrollWidth <= formula.clientWidth")


def test_the_grid_and_its_words_are_on_a_small_projector_together(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    open_page(page, app_url)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".over")).to_contain_text("Operation 2")
    for step in (STEP["k"], STEP["scores"], STEP["hidden"]):
        go(page, step)
        for part in (".one .line.last", ".why", ".formula", ".tally", ".picture-area .legend"):
            expect(page.locator(part).first).to_be_visible()
            above = "e => e.getBoundingClientRect().bottom <= 768"
            holds(page.locator(part).first, above)


def test_the_picture_grows_with_the_room(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    go(page, STEP["k"])
    cell = page.locator(".one .c").first
    small = cell.bounding_box()
    page.set_viewport_size({"width": 1920, "height": 1080})
    assert small
    area = "e.getBoundingClientRect().width * e.getBoundingClientRect().height"
    holds(cell, f"e => {area} > 1.3 * {small['width'] * small['height']}")
    low = "e => e.getBoundingClientRect().top > 0.75 * innerHeight"  # no empty quarter below it
    holds(page.locator(".one .line.last"), low)


CUT = """charts => charts.flatMap((chart) => {
  const outer = chart.getBoundingClientRect();
  const labels = [...chart.querySelectorAll('.ytick text, .xtick text, .xtitle, .ytitle, .legendtext')];
  return labels.filter((label) => {
    const box = label.getBoundingClientRect();
    return box.left < outer.left - 0.5 || box.right > outer.right + 0.5;
  }).map((label) => label.textContent);
})"""


def test_charts_are_drawn_for_who_scrolls_to_them_and_are_not_cut(page: Page, app_url: str) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, app_url)
    go(page, STEP["k"])  # a run of the page more: had it charts, they would have come
    assert not [url for url in asked if "plotly" in url.lower()]
    page.locator(".st-key-tells_avoided_charts").scroll_into_view_if_needed()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    expect(page.locator(".js-plotly-plot .xtick text").last).to_be_attached()
    page.locator(".js-plotly-plot").last.scroll_into_view_if_needed()
    settles(lambda: page.locator(".js-plotly-plot").evaluate_all(CUT))


def test_a_print_has_picture_and_words_below_each_other(page: Page, app_url: str) -> None:
    open_page(page, app_url)
    go(page, STEP["scores"])
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 794, "height": 1123})
    expect(page.locator(".rail")).to_be_hidden()
    picture = "e.closest('.scene-root').querySelector('.picture-area').getBoundingClientRect()"
    holds(page.locator(".story"), f"e => e.getBoundingClientRect().top >= {picture}.bottom")
    holds(page.locator(".one .line.last"), "e => e.getBoundingClientRect().right <= 794")


def test_no_barrier_for_assistive_tools(page: Page, app_url: str, axe: Callable[[Page], list[str]]) -> None:
    open_page(page, app_url, "tokens=5&premise=3")
    answered(page)
    page.locator(".st-key-tells_avoided_charts").scroll_into_view_if_needed()
    expect(page.locator(".numbers-of")).to_have_count(3)
    page.locator(".numbers-of summary").first.click()
    expect(page.locator(".numbers-of").first.get_by_role("rowheader", name="scores")).to_be_visible()
    for step in (STEP["k"], STEP["scores"], READ, WAYS):
        go(page, step)
        assert axe(page) == []
