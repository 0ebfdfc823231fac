"""CONTRIBUTING adds a page in three steps, a stage, a model and an experiment: tests do as it says."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect

from kvengine import Transformer, available_models, load_model, load_tokenizer
from kvengine.weights import CHECKPOINTS
from tools.server import ROOT, Server, serve

PARTS = ("app.py", "explainer", "kvengine", "pages", "pyproject.toml", ".streamlit")


def blocks(language: str, section: str = "A new page") -> list[str]:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    guide = guide.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [dedent(found) for found in re.findall(rf"^ *```{language}\n(.*?)^ *```", guide, re.S | re.M)]


@pytest.fixture(scope="module")
def with_a_new_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    copy = tmp_path_factory.mktemp("copy")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, copy / part)
    (scene, stage), (page, registered) = blocks("js"), blocks("python")
    (line,) = re.findall(r"Page\(.*\),", registered)
    room = copy / "explainer" / "hello"
    room.mkdir()
    (room / "__init__.py").touch()
    (room / "scene.css").touch()
    assert scene.count("bytes.`) },\n") == 1
    scene = scene.replace("bytes.`) },\n", f"bytes.`) }},\n{stage}")
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
    page.keyboard.press("ArrowRight")
    expect(told).to_have_text("Each token adds 4096 bytes.")


def test_a_model_added_as_contributing_says_is_offered_and_runs(tmp_path: Path) -> None:
    shipped = CHECKPOINTS / "stories-1m-h8-kv8"
    mine = tmp_path / "mine"
    mine.mkdir()
    for file in ("config.json", "model.safetensors"):
        shutil.copy(shipped / file, mine / file)
    shutil.copy(CHECKPOINTS / "tokenizer.json", tmp_path)
    (card,) = blocks("json", "A new model")
    (mine / "card.json").write_text(card, encoding="utf-8")
    (offered,) = available_models(tmp_path)
    assert (offered.name, offered.parameters) == ("mine", json.loads(card)["parameters"])
    ids = torch.tensor([load_tokenizer(mine).encode("Once upon a time")])
    assert load_model(mine)(ids).shape == (1, ids.shape[1], offered.config.vocab_size)


def test_the_experiment_of_contributing_takes_a_head_away_and_nothing_else() -> None:
    (code,) = blocks("python", "A new experiment")
    written: dict[str, Any] = {}
    exec(code, written)  # what the guide says, as it stands there
    model: Transformer = load_model("stories-1m-h8-kv8")
    ids = load_tokenizer("stories-1m-h8-kv8").encode("Tom gave the ball to")
    # The head's columns of what joins the heads: without them nothing of it is passed on.
    without = load_model("stories-1m-h8-kv8")
    width = model.config.head_dim
    without.weights.layers[2].wo[:, 4 * width : 5 * width] = 0
    expected = without(torch.tensor([ids]))[0, -1]
    found = written["without_head"](model, ids, 2, 4)
    assert torch.allclose(found, expected, atol=1e-4)
    assert not torch.allclose(found, model(torch.tensor([ids]))[0, -1], atol=1e-2)
