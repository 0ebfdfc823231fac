"""What a learner types, or a link says, is text on every page and in every file."""

import csv
import io
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from explainer.kit.address import parameters
from explainer.kit.choice import Common
from explainer.kit.sheet import MOST_ROWS, to_csv
from explainer.pages import PAGES
from explainer.pages import Page as Entry

#: Markup, MathML, Markdown and its formulas, Streamlit's own signs, a spreadsheet's formula, and characters
#: that end a text, ring a bell, colour a terminal or turn the direction of what follows.
HOSTILE = (
    '=1+1 <img id=evil src="http://foreign.example/a.png" onerror="evil=1"><script>evil=1</script>'
    "<math><mi id=evil>x</mi></math> ![a](http://foreign.example/b.png) [b](http://foreign.example/c) "
    r"$\href{http://foreign.example/d}{x}$ :red[e] :material/home: "
    "\0\a\x1b[31m \N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE} \N{LINE SEPARATOR}"
)

#: Everything that is shown, in shadow roots too: what cannot be seen in it, or turns what follows.
UNSEEN = r"""() => {
  const unseen = /[\0-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]/, found = [];
  const read = (node) => {
    if (node.nodeType === Node.TEXT_NODE && unseen.test(node.data)) found.push(node.data);
    for (const { name, value } of node.attributes ?? [])
      if (["aria-label", "title", "alt"].includes(name) && unseen.test(value)) found.push(value);
    if (node.shadowRoot) read(node.shadowRoot);
    if (!["TEXTAREA", "STYLE", "SCRIPT"].includes(node.nodeName)) node.childNodes.forEach(read);
  };
  read(document.body);
  return found;
}"""


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.file)
def test_a_page_shows_what_was_typed_as_text_and_fetches_nothing_for_it(
    page: Page, app_url: str, entry: Entry
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    kinds = [kind for kind in (Common, entry.choice) if kind]
    given = {p.key: HOSTILE for kind in kinds for p in parameters(kind).values()}
    path = "" if entry is PAGES[0] else entry.file
    page.goto(f"{app_url}/{path}?{urlencode(given)}")
    expect(page.get_by_text("in the address is no").first).to_contain_text("<img id=ev")
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    built = "#evil, [onerror], a[href*='//foreign.example'], img[src*='foreign.example']"
    assert page.locator(built).count() == 0
    assert page.evaluate("() => typeof evil") == "undefined"
    assert page.evaluate(UNSEEN) == []
    assert {url for url in asked if not url.startswith((app_url, "data:", f"blob:{app_url}"))} == set()


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "-", "\uff1d1"])
def test_a_cell_that_a_spreadsheet_would_compute_is_a_text_in_it(text: str) -> None:
    cell = list(csv.reader(io.StringIO(to_csv([{"name": text}]), newline="")))[1][0]
    assert cell == f"'{text}"


def test_a_table_that_is_too_long_for_a_file_is_cut_and_its_last_line_says_so() -> None:
    read = list(csv.reader(io.StringIO(to_csv([{"n": n} for n in range(MOST_ROWS + 3)]), newline="")))
    assert read[-2:] == [[str(MOST_ROWS - 1)], ["A file has at most 10,000 rows: the other 3 are left out."]]
    assert len(read) == MOST_ROWS + 2


def test_numbers_and_other_texts_stay_as_they_are_in_a_table() -> None:
    rows = [{"a": -1.5, "b": 'a, "b"\nc', "c": 3}, {"a": 2e-9, "b": "plain = text", "c": -4}]
    read = list(csv.DictReader(io.StringIO(to_csv(rows), newline="")))
    assert read == [{name: str(value) for name, value in row.items()} for row in rows]
