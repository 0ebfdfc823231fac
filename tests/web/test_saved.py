"""A page saved as a file: opened from a disk, in a browser that reaches no server."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tools.server import ROOT

#: An address, a cell there, what stands on the page as proof, and what the next step is.
SAVED = {
    "walkthrough": (
        "walkthrough?stage=3",
        ".history [data-row='3'] [data-part=k] [role=gridcell] >> nth=2",
        "same next token",
        "Stage 4 of 5",
    ),
    "avoided_work": (
        "avoided_work?op=4",
        "[data-row='3'] [role=gridcell] >> nth=2",
        "92,352 of 92,352 numbers",
        "Operation 5 of 15",
    ),
    "start": (
        "?part=1&word=6",
        ".writer[data-side=naive] .t-cell >> nth=20",
        "measured",
        "19 words are computed again",
    ),
}


def tip(page: Page, cell: str) -> str:
    """How a cell says that it came about."""
    page.locator(cell).first.hover()
    expect(page.locator(".tip")).to_be_visible()
    expect(page.locator(".tip p").get_by_text("…", exact=True)).to_have_count(0)  # nothing is on its way
    return page.locator(".tip").inner_text()


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_page_opens_from_a_disk_steps_reads_cells_and_keeps_its_proof(
    page: Page, app_url: str, axe: Any, tmp_path: Path, name: str
) -> None:
    address, cell, proof, after = SAVED[name]
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{app_url}/{address}")
    in_the_app = tip(page, cell)
    page.get_by_role("button", name="Save or print").click()
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save as a file").click()
    saved = tmp_path / saving.value.suggested_filename
    saving.value.save_as(saved)
    expect(page.locator(".take-panel [role=status]")).to_contain_text(saved.name)
    assert saved.stat().st_size < 2_000_000

    file, told, asked = page.context.new_page(), list[str](), list[str]()
    file.on("console", lambda message: told.append(message.text))
    file.on("pageerror", lambda error: told.append(str(error)))
    file.on("request", lambda request: asked.append(request.url))
    file.emulate_media(reduced_motion="reduce")  # no colours in between
    file.goto(saved.as_uri())
    expect(file.locator(".from")).to_contain_text("stories-1m-h8-kv8 (greedy, torch 2.")
    expect(file.locator(".scene-root")).to_contain_text(proof)
    assert tip(file, cell) == in_the_app
    file.keyboard.press("ArrowRight")
    expect(file.locator(".scene-root")).to_contain_text(after)
    assert axe(file) == []
    assert told == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_page_that_is_too_large_for_a_file_is_not_saved_and_says_so(page: Page, app_url: str) -> None:
    # What a larger model's operands would be.
    page.route("**/operands/weights/**", lambda route: route.fulfill(body=bytes(25_000_000)))
    page.goto(f"{app_url}/walkthrough")
    page.get_by_role("button", name="Save or print").click()
    page.get_by_role("button", name="Save as a file").click()
    expect(page.locator(".take-panel [role=status]")).to_have_text(
        re.compile(r"could not be saved: This page would take 3\d MB, and a file may take 32 MB\. A smaller")
    )


def test_a_saved_page_has_the_apps_colours() -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    style = (ROOT / "explainer" / "web" / "saved.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark")
    names = {
        "background-color": "backgroundColor",
        "secondary-background-color": "secondaryBackgroundColor",
        "text-color": "textColor",
        "border-color": "borderColor",
    }
    for part, of in ((light, theme["light"]), (dark, theme["dark"])):
        for name, key in names.items():
            assert f"--st-{name}: {of[key]};" in part
    assert f"--st-font: {theme['font']};".replace("'", '"') in light
