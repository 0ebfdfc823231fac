"""The avoided work in a real browser: what is blue, what breaks it, how one steps, and who can use it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from explainer.state import EXAMPLES
from explainer.story.avoided_work import OPERATIONS
from kvengine import load_model, load_tokenizer
from kvengine.compare import State
from kvengine.experiments import Premise, Recomputation, name_of, recompute, text_of_length

MODEL = load_model("stories-1m-h8-kv8")
OPS = {"k": 4, "scores": 6, "weights": 7, "z": 8}  # places on the rail
READ, SIDE_BY_SIDE = 18, 20
# One cell of each kind of arithmetic: operation, row, column.
CELLS = (
    ("norm", 3, 7),
    ("k", 2, 9),
    ("scores", 4, 1),
    ("weights", 5, 3),
    ("z", 5, 2),
    ("out", 4, 60),
    ("mid", 1, 5),
    ("hidden", 2, 300),
    ("ffn", 3, 100),
    ("post", 6, 127),
)

# The cells on the page, counted by what they look like; a row drawn as a strip has its state as a whole.
COUNT = """root => {
  const found = {equal: 0, new: 0, different: 0, masked: 0};
  for (const cell of root.querySelectorAll('[role=gridcell]'))
    for (const state of Object.keys(found))
      if (cell.classList.contains(state)) found[state] += cell.values ? cell.values.length : 1;
  return found;
}"""


def recomputed(t: int, premise: Premise | None = None) -> Recomputation:
    ids = load_tokenizer("stories-1m-h8-kv8").encode(EXAMPLES[0])
    return recompute(MODEL, text_of_length(MODEL, ids, t + 1), premise, ways=False)


def open_page(page: Page, app_url: str, query: str) -> None:
    # By way of the start page: Streamlit looks for itself below a page's own path first, and that is logged.
    page.goto(f"{app_url}/?{query}")
    page.get_by_role("link", name="The avoided work").click()
    expect(page.locator(".avoided .head").first).to_be_visible()


def go(page: Page, step: int) -> None:
    page.locator(f'.stage[data-step="{step}"]').click()


def drawn(page: Page) -> dict[str, int]:
    counted: dict[str, int] = page.locator(".avoided").evaluate(COUNT)
    return counted


def told(page: Page) -> dict[str, int]:
    """The counts beside the grid."""
    counts = page.locator(".tally dd").evaluate_all(
        "all => all.map(dd => [dd.dataset.count, Number(dd.textContent.replaceAll(',', ''))])"
    )
    return {"different": 0} | dict(counts)


@pytest.mark.parametrize("t", [5, 12])
def test_blue_orange_and_masked_cells_are_as_many_as_the_arithmetic_says(
    page: Page, app_url: str, t: int
) -> None:
    open_page(page, app_url, f"tokens={t}&layer=2")
    c = MODEL.config
    widths = [c.d_model] * 2 + [c.head_dim] * 3 + [0, 0, c.head_dim] + [c.d_model] * 3
    widths += [c.d_ffn, c.d_model, c.d_model]
    for step, cols in enumerate(widths, start=1):
        go(page, step)
        expect(page.locator(".over")).to_contain_text(f"Operation {step} of")
        square = {"equal": t * (t + 1) // 2, "new": t + 1, "masked": t * (t + 1) // 2, "different": 0}
        rows = {"equal": t * cols, "new": cols, "masked": 0, "different": 0}
        assert drawn(page) == told(page) == (rows if cols else square)


@pytest.mark.parametrize(
    ("query", "premise"), [("premise=-1", Premise(causal=False)), ("premise=3", Premise(changed=3))]
)
def test_an_experiment_shows_what_it_found(page: Page, app_url: str, query: str, premise: Premise) -> None:
    open_page(page, app_url, f"tokens=9&layer=1&head=2&{query}")
    r = recomputed(9, premise)
    expect(page.locator(".finding.broken")).to_be_visible()
    for operation, step in OPS.items():
        go(page, step)
        state = r.tensors[name_of(operation, 1)].state[2]
        names = {"equal": State.EQUAL, "new": State.NEW, "different": State.DIFFERENT, "masked": State.MASKED}
        expected = {name: int((state == kind).sum()) for name, kind in names.items()}
        assert drawn(page) == told(page) == expected
        assert expected["different"] > expected["equal"] or premise.causal


def test_the_experiments_on_the_page_take_the_blue_away_and_give_it_back(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6&layer=1")
    go(page, OPS["k"])
    assert drawn(page)["equal"] == 6 * 16
    page.get_by_text("no causal mask", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("No mask")
    assert drawn(page)["equal"] < 6
    page.get_by_text("change a token", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("became")
    assert 3 * 16 <= drawn(page)["equal"] < 4 * 16
    page.get_by_text("as is", exact=True).click()
    expect(page.locator(".finding")).to_contain_text("✓")
    assert drawn(page)["equal"] == 6 * 16


def test_the_largest_difference_is_one_click_away(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=9&layer=2&premise=3")
    page.locator(".jump").click()
    expect(page.locator(".tip")).to_be_visible()
    name, tensor = recomputed(9, Premise(changed=3)).largest
    layer = int(name.split(".")[1])
    expect(page.locator(".over")).to_contain_text(f"layer {layer}")
    expect(page.locator(".tip")).to_contain_text(f"{tensor.was[tensor.where]:.3f}".replace("-", "−"))
    expect(page.locator(".tip")).to_contain_text("not blue")


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
    expect(over).to_contain_text("Reductions, 1 of 5")
    expect(page).to_have_url(re.compile("op=16"))
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(over).to_contain_text("Reductions, 5 of 5")
    expect(page.locator(".next-step")).to_be_disabled()


def test_only_k_and_v_stay_bright_where_it_is_shown_what_is_read(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=5")
    go(page, READ)
    kept = page.locator(".map figure[data-kept=true]").evaluate_all("all => all.map(f => f.dataset.key)")
    assert kept == ["k", "v"]
    expect(page.locator(".focus")).to_contain_text("only K and V")


def test_three_ways_stand_side_by_side_with_the_same_next_token(page: Page, app_url: str) -> None:
    open_page(page, app_url, "")
    go(page, SIDE_BY_SIDE)
    results = page.locator(".ways .result")
    expect(results).to_have_count(3)
    assert len(set(results.all_inner_texts())) == 1
    expect(results.first).to_contain_text("Sara")
    r = recomputed(13)
    expect(page.locator("[data-way=cached]")).to_contain_text(
        f"{13 * MODEL.config.kv_floats_per_token:,} floats"
    )
    expect(page.locator("[data-way=stored]")).to_contain_text(f"{r.compared:,} floats")


def test_a_cells_arithmetic_comes_to_its_value(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=6&layer=1")
    r = recomputed(6)
    for operation, row, col in CELLS:
        step = 1 + [op.key for op in OPERATIONS].index(operation)
        go(page, step)
        line = page.locator(f'[role=row][data-row="{row}"]')
        cells = line.locator("[role=gridcell]")
        tensor = r.tensors[name_of(operation, 1)].now
        value = tensor[0, row, col] if tensor.ndim == 3 else tensor[row, col]
        if cells.count() == 1:
            box = cells.bounding_box()
            assert box
            wide = (tensor.shape[-1], box["width"])
            cells.hover(position={"x": (col + 0.5) * wide[1] / wide[0], "y": box["height"] / 2})
        else:
            cells.nth(col).hover()
        digits = 4 if operation == "weights" else 3
        said = page.locator(".tip p").all_inner_texts()
        text = f"{value:.{digits}f}".replace("-", "−")
        assert said[0].endswith(f"= {text}")
        result = float(said[-2].split("= ")[-1].replace("−", "-"))
        assert result == pytest.approx(float(value), abs=2e-3)
        assert said[-1].startswith("blue" if row < 6 else "new")


def test_heads_are_small_multiples_or_one_large(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=5&kv=2")
    go(page, 3)
    page.get_by_role("button", name="all heads").click()
    expect(page.locator(".heads button")).to_have_count(8)
    assert told(page)["equal"] == 8 * 5 * 16
    go(page, OPS["k"])
    expect(page.locator(".heads button")).to_have_count(2)
    page.locator(".heads button").nth(1).click()
    expect(page.get_by_label("Head", exact=True)).to_have_value("4")
    expect(page.locator(".head")).to_contain_text("reads KV head 1")
    page.get_by_label("Layer", exact=True).select_option("1")
    expect(page.locator(".over")).to_contain_text("layer 1")
    expect(page.get_by_label("Head", exact=True)).to_have_value("4")


def test_nothing_scrolls_sideways(page: Page, app_url: str) -> None:
    open_page(page, app_url, "tokens=64&premise=3")
    scene = page.locator(".avoided")
    for width, height in ((1440, 900), (1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        expect(scene).to_have_class(re.compile("wide" if width > 900 else "phone"))
        for step in (1, OPS["scores"], 12, 19, SIDE_BY_SIDE):
            page.locator(f'.stage[data-step="{step}"]').dispatch_event("click")
            wide: list[int] = scene.evaluate(
                """root => [document.documentElement.scrollWidth - innerWidth,
                            root.scrollWidth - root.clientWidth]"""
            )
            assert wide[0] <= 0, (width, step)
            assert wide[1] <= 1, (width, step)


def test_no_barrier_for_assistive_tools(page: Page, app_url: str, axe: Callable[[Page], list[str]]) -> None:
    open_page(page, app_url, "tokens=5&premise=3")
    for step in (OPS["k"], SIDE_BY_SIDE):
        go(page, step)
        assert axe(page) == []


def test_a_page_opened_by_its_own_address_shows_what_it_names(browser: Browser, app_url: str) -> None:
    page = browser.new_page()
    page.goto(f"{app_url}/avoided_work?tokens=7&premise=-1&layer=1&head=3&op=8")
    expect(page.locator(".over")).to_contain_text("Operation 8 of 15 · layer 1")
    expect(page.get_by_label("Head", exact=True)).to_have_value("3")
    expect(page.locator(".finding")).to_contain_text("No mask")
    page.close()
