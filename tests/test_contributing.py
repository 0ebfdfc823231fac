"""CONTRIBUTING adds a page in three steps: a test takes them, on a copy, and opens the page."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from playwright.sync_api import Page, expect

from tools.server import ROOT, Server, serve

PARTS = ("app.py", "explainer", "kvengine", "pages", "pyproject.toml", ".streamlit")


def blocks(language: str) -> list[str]:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    guide = guide[guide.index("## A new page") : guide.index("## Questions")]
    return [dedent(found) for found in re.findall(rf"^ *```{language}\n(.*?)^ *```", guide, re.S | re.M)]


@pytest.fixture(scope="module")
def with_a_new_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    copy = tmp_path_factory.mktemp("copy")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    (scene,), (page, registered) = blocks("js"), blocks("python")
    (line,) = re.findall(r"Page\(.*\),", registered)
    room = copy / "explainer" / "hello"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "scene.css").touch()
    (room / "scene.js").write_text(scene, encoding="utf-8")
    (copy / "pages" / "hello.py").write_text(page, encoding="utf-8")
    registry = copy / "explainer" / "pages.py"
    text = registry.read_text(encoding="utf-8")
    assert text.count("PAGES = (\n") == 1
    registry.write_text(text.replace("PAGES = (\n", f"PAGES = (\n    {line}\n"), encoding="utf-8")
    with serve(copy.parent / "copy.log", app=Path(copy / "app.py"), env={"PYTHONPATH": str(copy)}) as server:
        yield server
    assert "Traceback" not in server.log_text()


def test_a_page_added_as_contributing_says_steps_and_names_its_stage(
    page: Page, with_a_new_page: Server
) -> None:
    page.goto(with_a_new_page.url)
    told = page.locator(".told")
    expect(told).to_have_text("It has 14 tokens.")
    page.keyboard.press("ArrowRight")
    expect(told).to_have_text("Their keys and values take 57344 bytes.")
    expect(page).to_have_url(re.compile(r"\?stage=2"))
    page.reload()
    expect(told).to_have_text("Their keys and values take 57344 bytes.")
    expect(page.get_by_role("button", name="The cache")).to_have_attribute("aria-current", "step")
