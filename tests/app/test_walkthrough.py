"""The app's frame and its start page, run without a browser."""

import shutil
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import kvengine.weights
from tools.server import ROOT


def run(**params: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


@pytest.fixture
def no_cached_models() -> None:
    st.cache_resource.clear()


def test_the_start_page_runs_without_an_error_or_a_note() -> None:
    app = run()
    assert not app.exception
    assert not app.error
    assert not app.warning


def test_a_choice_goes_into_the_address() -> None:
    app = run()
    app.select_slider(key="w_heads").set_value(4).run()
    assert not app.exception
    assert app.query_params["heads"] == "4"
    app.text_input(key="w_prompt").set_value("The cat").run()
    assert app.query_params["prompt"] == "The cat"
    assert app.select_slider(key="w_history").value == 2, "the length follows the prompt"


def test_kv_heads_can_be_chosen_for_eight_heads_alone() -> None:
    app = run(heads="8")
    assert app.segmented_control(key="w_kv_heads").options == ["8", "4", "2", "1"]
    app.segmented_control(key="w_kv_heads").set_value(2).run()
    assert app.query_params["kv"] == "2"
    assert run(heads="2").segmented_control(key="w_kv_heads").options == ["2"]


@pytest.mark.parametrize("prompt", ["", " ", "\n\n", "🙂" * 40, "x" * 10_000, "<|endoftext|>", "\x00\x07"])
def test_no_prompt_breaks_the_page(prompt: str) -> None:
    app = run()
    app.text_input(key="w_prompt").set_value(prompt).run()
    assert not app.exception
    assert not app.error


@pytest.mark.usefixtures("no_cached_models")
@pytest.mark.parametrize("damage", ["missing", "truncated", "other shape"])
def test_a_damaged_model_gives_a_sentence_and_the_controls_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(kvengine.weights.CHECKPOINTS, models)
    file = models / "stories-1m-h8-kv8" / "model.safetensors"
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:100_000])
    else:
        shutil.copy(models / "stories-1m-h8-kv2" / "model.safetensors", file)
    monkeypatch.setattr(kvengine.weights, "CHECKPOINTS", models)
    app = run()
    assert not app.exception
    assert "stories-1m-h8-kv8" in app.error[0].value
    app.select_slider(key="w_heads").set_value(4).run()
    assert not app.exception
    assert not app.error
    st.cache_resource.clear()
