"""Who has the keyboard alone sees where they are, on every page and in forced colours."""

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from explainer.pages import PAGES
from tests.waiting import answered

#: More stops than any page has: a walk that does not come to an end is a trap.
MOST = 160
FEW = 10  # fewer than any page has
#: Of what has the focus: what it is, whether its outline says so, and whether its middle is in sight.
STOP = """() => {
  const up = (node) => node.parentElement ?? node.getRootNode().host ?? null;
  const within = (node, outer) => {
    while (node && node !== outer) node = up(node);
    return node === outer;
  };
  const deepest = (find) => {
    let found = find(document);
    for (let inner; (inner = found?.shadowRoot && find(found.shadowRoot)) && inner !== found; ) found = inner;
    return found;
  };
  const node = deepest((root) => root.activeElement);
  if (!node || node === document.body) return null;
  // A slider and a switch of Streamlit's are inputs that nobody sees, in what one does see.
  const drawn = node.matches("[type=range], [type=checkbox]") ? (node.closest("[data-rac]") ?? node) : node;
  const outline = (one) => {
    const { outlineStyle, outlineWidth, outlineColor, outlineOffset } = getComputedStyle(one);
    return outlineStyle !== "none" && `${outlineStyle} ${outlineWidth} ${outlineColor} ${outlineOffset}`;
  };
  const outlines = () => [node, up(node), drawn].map(outline).join();
  const { left, top, width, height } = drawn.getBoundingClientRect();
  const hit = deepest((root) => root.elementFromPoint(left + width / 2, top + height / 2));
  const seen = within(hit, drawn) || within(drawn, hit);
  const focused = outlines();
  node.blur();
  const told = focused !== outlines();
  node.focus({ preventScroll: true });
  return { who: `${node.tagName} ${node.ariaLabel ?? node.textContent.slice(0, 40)}`, told, seen };
}"""


@pytest.mark.parametrize(
    ("file", "colours"), [*((page.file, "active") for page in PAGES), ("walkthrough", "none")]
)
def test_each_stop_of_the_tab_key_is_outlined_and_in_sight(
    page: Page, app_url: str, file: str, colours: str
) -> None:
    page.set_viewport_size(ViewportSize(width=1280, height=720))
    page.emulate_media(reduced_motion="reduce", forced_colors="active" if colours == "active" else "none")
    page.goto(f"{app_url}/{file if file != PAGES[0].file else ''}")
    expect(page.locator(".way-root").first).to_be_visible()
    answered(page)
    expect(page.locator(".scene-root:not([aria-busy])").first).to_be_visible()
    page.evaluate("() => document.activeElement.blur()")
    stops: list[str] = []
    # Backwards: what comes from above the window is scrolled to under the bar at its top.
    for _ in range(MOST):
        page.keyboard.press("Shift+Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            if len(stops) > FEW:
                break
            continue  # the walk began near the top: out of the page, and in again from its end
        stops.append(stop["who"])
        assert stop["told"], f"no outline tells of {stop['who']}"
        assert stop["seen"], f"something lies over {stop['who']}"
    else:
        raise AssertionError(f"a trap, or next to nothing to stop at: {stops[-5:]}")
