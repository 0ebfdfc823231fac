"""The timing lab as a learner uses it: a race to its end, a long one stopped, the table read."""

import re
from base64 import b64encode
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from explainer.kit.encode import pack
from explainer.timing.scene import race_scene
from kvengine.race import TimedStep
from kvengine.timing import CACHED, NAIVE
from tests.waiting import answered, settles, sideways


@pytest.fixture
def lab(page: Page, app_url: str) -> Page:
    page.goto(f"{app_url}/timing")
    expect(page.get_by_role("heading", name="Do both paths say the same?")).to_be_visible()
    answered(page)
    return page


def start_race(page: Page, *presses: str) -> None:
    """The presses move the slider: Home to the shortest race, End to the longest."""
    for press in presses:
        page.get_by_role("slider", name="Tokens to generate").press(press)
    page.get_by_role("button", name="Start the race").click()


def finish_race(page: Page) -> Locator:
    replay = page.get_by_role("button", name="Replay at the measured speed")
    expect(replay).to_be_visible()
    return replay


def run_sweep(page: Page) -> None:
    page.get_by_role("slider", name="Longest text").press("Home")
    expect(page).to_have_url(re.compile("longest=16"))  # the page has been drawn anew
    page.get_by_role("button", name="Start the sweep").click()
    expect(page.get_by_text("The prefill: time to the first token.")).to_be_visible()


def lane(page: Page, path: str) -> tuple[int, float, str]:
    """Tokens so far, the clock in seconds, the text."""
    box = page.locator(f".lane.{path}")
    found = re.match(r"(\d+) of", box.locator(".each").inner_text())
    assert found
    clock = float(box.locator(".clock").inner_text().removesuffix(" s"))
    return int(found[1]), clock, box.locator(".words").inner_text()


# ---- the race --------------------------------------------------------------------------------------------


def test_a_short_race_runs_from_the_start_line_to_its_end(lab: Page) -> None:
    for path in ("cached", "naive"):
        expect(lab.locator(f".lane.{path}")).to_contain_text("0 of 256 tokens")
        expect(lab.locator(f".lane.{path}")).to_contain_text("Tom gave the ball to")
    expect(lab.locator(".plot")).to_be_hidden()  # nothing has been measured
    lab.get_by_role("radio", name="100×").click()
    start_race(lab, "Home")
    finish_race(lab)
    expect(lab.get_by_text("You guessed 100×")).to_be_visible()
    cached, naive = lane(lab, "cached"), lane(lab, "naive")
    assert cached[0] == naive[0] == 16
    assert cached[1] > 0
    assert naive[1] > 0
    assert cached[2] == naive[2]
    assert cached[2].startswith("Tom and Sara went to the park.")
    expect(lab.get_by_text("Both wrote the same text.")).to_be_visible()
    for path in ("cached", "naive"):
        bold = lab.locator(f".plot polyline.{path}:not(.each-step)")
        assert len((bold.get_attribute("points") or "").split()) == 16


def test_races_on_a_busy_machine_show_two_cards_that_both_run(lab: Page) -> None:
    """New data overtake a component that is still being called, and Streamlit then cleans up after it."""
    slowed = lab.context.new_cdp_session(lab)
    slowed.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    for tokens in (64, 32, 64):
        start_race(lab, "Home", *["ArrowRight"] * {32: 1, 64: 2}[tokens])
        expect(lab.locator(".lane.naive .each")).to_contain_text(f"{tokens} of {tokens}")
        finish_race(lab)
        expect(lab.locator(".lane")).to_have_count(2)
        expect(lab.locator(".plot")).to_have_count(1)
        assert lane(lab, "cached")[0] == lane(lab, "naive")[0] == tokens
    slowed.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    lab.set_viewport_size({"width": 900, "height": 900})
    chart = lab.locator(".plot svg")
    expect(chart).to_have_attribute("viewBox", re.compile(rf"^0 0 {chart.evaluate('c => c.clientWidth')} "))


#: What Streamlit does when new data overtake a call: it cleans up after that call, and makes the next one on
#: the same element. Gives the number of lanes after that, and whether they are those from before.
OVERTAKEN = """async (bytes) => {
  const { default: call } = await import('/_stcore/bidi-components/explainer.scene/web/main.js');
  const host = document.createElement('div');
  host.innerHTML = '<div class="scene-root"></div>';
  document.body.append(host);
  const later = (ms) => new Promise((done) => setTimeout(done, ms));
  const component = () => ({
    parentElement: host,
    data: Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)),
    setStateValue() {},
  });
  call(component());
  while (!host.querySelector('.lane')) await later(20);
  const lane = host.querySelector('.lane');
  call(component())();
  await later(100);
  const clean = call(component());
  await later(500);
  const found = [host.querySelectorAll('.lane').length, host.querySelector('.lane') === lane];
  host.remove();
  clean();
  return found;
}"""


def test_a_scene_lives_on_when_a_call_of_its_component_is_overtaken(lab: Page) -> None:
    steps = [TimedStep(path, 5, 7, 0.001) for path in (CACHED, NAIVE)]
    scene = race_scene("Hi", steps, str, new_tokens=1, prompt_tokens=5, running=False)
    message = b64encode(pack({"scene": "timing", **scene})).decode()
    assert lab.evaluate(OVERTAKEN, message) == [2, True]


def test_a_replay_ends_where_the_race_did(lab: Page) -> None:
    start_race(lab, "Home", "PageUp")  # long enough that its replay takes more than a frame
    replay = finish_race(lab)
    before = [lane(lab, path) for path in ("cached", "naive")]
    # The replay is over in an instant, so what it shows on the way is noted as it goes.
    lab.locator(".lane.naive").evaluate("""lane => {
      const note = () => lane.toggleAttribute('data-replayed', lane.textContent.includes('replay')
        || lane.hasAttribute('data-replayed'));
      new MutationObserver(note).observe(lane, { subtree: true, childList: true, characterData: true });
    }""")
    replay.click()
    expect(lab.locator(".lane.naive[data-replayed]")).to_be_attached()
    expect(lab.locator(".lane.naive .each")).to_contain_text(re.compile(r"^(\d+) of \1 "))
    expect(lab.locator(".lane.naive .each")).not_to_contain_text("replay")
    assert [lane(lab, path) for path in ("cached", "naive")] == before


def test_a_long_race_stops_at_once_and_keeps_what_it_had(lab: Page) -> None:
    start_race(lab, "End")
    expect(lab.locator(".lane.naive .each")).to_contain_text("last took")
    lab.get_by_role("button", name="Stop", exact=True).first.click()
    expect(lab.get_by_text("What was measured so far is kept")).to_be_visible()
    finish_race(lab)  # the last picture of the race may come behind the message
    tokens, clock, _ = lane(lab, "naive")
    assert 0 < tokens < 498
    assert clock > 0
    lab.wait_for_timeout(600)
    assert lane(lab, "naive")[:2] == (tokens, clock)


def test_the_prompt_is_text_in_the_race(lab: Page) -> None:
    lab.get_by_role("textbox", name="Prompt").fill("<img src=x onerror=alert(1)> <b>Tom</b>")
    lab.get_by_role("textbox", name="Prompt").press("Enter")
    start_race(lab, "Home")
    finish_race(lab)
    assert "<b>Tom</b>" in lane(lab, "cached")[2]
    expect(lab.locator(".lane .words :is(img, b)")).to_have_count(0)


# ---- the sweep and the charts ----------------------------------------------------------------------------


#: Of each chart: is the legend above the axes, and every text inside the picture?
CHARTS = """() => [...document.querySelectorAll('.js-plotly-plot')].map((chart) => {
  const box = chart.querySelector('.main-svg').getBoundingClientRect();
  const top = box.top + chart._fullLayout._size.t; // where the axes begin
  const legend = chart.querySelector('.legend')?.getBoundingClientRect();
  const texts = [...chart.querySelectorAll(
    '.ytitle, .y2title, .xtitle, .x2title, .xtick text, .ytick text, .annotation-text, .legendtext')];
  return {
    overlap: legend?.height ? legend.bottom - top : -1,
    cut: texts.map((text) => [text.textContent, text.getBoundingClientRect()])
      .filter(([, t]) => t.left < box.left - 1 || t.right > box.right + 1
        || t.top < box.top - 1 || t.bottom > box.bottom + 1)
      .map(([text]) => text),
  };
})"""


def spoilt(page: Page) -> list[object]:
    """The charts that are wrong, or that not all are there."""
    charts = page.evaluate(CHARTS)
    wrong = [chart for chart in charts if chart["overlap"] > 2 or chart["cut"]]
    return wrong if len(charts) == 6 else [f"{len(charts)} charts"]


def test_after_a_sweep_legends_stay_off_the_lines_texts_stay_whole_and_the_table_is_full(
    lab: Page, axe: Callable[[Page], list[str]]
) -> None:
    run_sweep(lab)
    # A chart that is drawn anew is the old one for a moment.
    for width in (1440, 390, 1024, 1440, 700, 1920):
        lab.set_viewport_size({"width": width, "height": 900})
        lab.wait_for_timeout(400)
        settles(lambda: spoilt(lab))
    lab.set_viewport_size({"width": 1024, "height": 900})
    for choice in ("Bytes", "Whole text", "Multiplications", "Linear", "Ratio"):
        radio = lab.get_by_role("radio", name=choice, exact=True)
        radio.click()
        expect(radio).to_be_checked()
        lab.wait_for_timeout(400)
        answered(lab)
        settles(lambda: spoilt(lab))
    expect(lab.get_by_text(re.compile("both paths pick the same next token"))).to_be_visible()
    lab.get_by_text("The numbers: table, CSV, PNG").click()
    with lab.expect_download() as saved:
        lab.get_by_role("button", name="CSV", exact=True).click()
    header, *lines = saved.value.path().read_text(encoding="utf-8").splitlines()
    assert header.startswith("path,tokens,median ms")
    assert [line.split(",")[:2] for line in lines if line.startswith("naive")] == [
        ["naive", str(n)] for n in (1, 2, 4, 8, 16)
    ]
    assert all(float(line.split(",")[2]) > 0 for line in lines)
    lab.get_by_test_id("stDataFrame").scroll_into_view_if_needed()
    cells = lab.get_by_test_id("stDataFrame").locator("td")  # the canvas keeps a table for screen readers
    expect(cells.first).to_be_attached()
    shown = cells.all_text_contents()
    assert shown[:2] == ["cached", "1"]
    assert shown[2] in lines[0]
    assert axe(lab) == []


def test_a_chart_saves_itself_as_a_png(lab: Page) -> None:
    chart = lab.locator(".js-plotly-plot").first
    chart.scroll_into_view_if_needed()
    with lab.expect_download() as saved:
        chart.locator(".modebar-btn").click()
    assert saved.value.suggested_filename == "counted-to-scale.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")


def test_nothing_scrolls_sideways(lab: Page) -> None:
    start_race(lab, "Home")
    finish_race(lab)
    for width in (1440, 1024, 390):
        lab.set_viewport_size({"width": width, "height": 844})
        settles(lambda: sideways(lab))
