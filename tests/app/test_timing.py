"""The timing page, driven without a browser: runs start, stop, wait their turn, and tell what they found."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explainer.lab import LAB, Run
from kvengine.recording import FORMAT

APP = Path(__file__).resolve().parents[2] / "app.py"


@pytest.fixture
def app() -> AppTest:
    opened = AppTest.from_file(str(APP), default_timeout=30).run()
    return opened.switch_page("pages/timing.py").run()


@pytest.fixture
def busy() -> Iterator[Run[int]]:
    """Somebody else's measurement, which goes on until it is stopped."""

    def endless(stopped: Callable[[], bool]) -> Iterator[int]:
        while not stopped():
            time.sleep(0.005)
            yield 1

    run = LAB.submit(endless)
    yield run
    run.stop()
    settle(lambda: not run.active)


def settle(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "this did not come about"
        time.sleep(0.02)


def finish(app: AppTest, name: str) -> AppTest:
    """Look at the page, as its timer does, until the run is over."""
    run = app.session_state[f"timing_{name}"].run
    deadline = time.monotonic() + 60
    while run.active:
        assert time.monotonic() < deadline
        app.run()
        time.sleep(0.4)
    return app.run()


def words(app: AppTest) -> str:
    said = [*app.markdown, *app.caption, *app.info, *app.warning, *app.error]
    return "\n".join(str(element.value) for element in said)


def test_page_opens_with_the_count_and_without_a_measurement(app: AppTest) -> None:
    assert not app.exception
    assert "**500,500** projected rows against **1,000**" in words(app)
    assert "Run the sweep" in words(app)
    assert not app.dataframe


def test_race_runs_to_its_end_and_tells_its_clocks(app: AppTest) -> None:
    app.select_slider(key=tokens_key(app)).set_value(16)
    app.button(key="start_race").click().run()
    finish(app, "race")
    assert not app.exception
    assert "16 tokens: cached in" in words(app)
    assert "All 16 tokens are the same" in words(app)
    assert len(app.session_state["timing_race"].run.results) == 32


def test_stop_keeps_what_was_measured(app: AppTest) -> None:
    slider = app.select_slider(key=tokens_key(app))
    slider.set_value(int(slider.options[-1]))
    app.button(key="start_race").click().run()
    run = app.session_state["timing_race"].run
    settle(lambda: len(run.results) >= 4)
    app.run()
    if run.active:
        app.button(key="stop_race").click().run()
    finish(app, "race")
    assert run.state in ("stopped", "done")
    assert not app.exception
    assert "tokens: cached in" in words(app)


def test_sweep_fills_charts_table_and_explanation(app: AppTest) -> None:
    app.select_slider(key="t_longest").set_value(16)
    app.toggle(key="t_cat").set_value(True)
    app.slider(key="t_scale").set_value(10)
    app.button(key="start_sweep").click().run()
    finish(app, "sweep")
    assert not app.exception
    table = app.dataframe[0].value
    assert set(table["path"]) == {"cached", "naive", "cat", "prefill"}
    assert sorted(set(table["tokens"])) == [1, 2, 4, 8, 16]
    assert (table["median ms"] > 0).all()
    assert "Measured for 10 tokens" in words(app)
    assert "One model for all points" in words(app)
    assert "At 5 of 5 lengths both paths choose the same token" in words(app)
    for view in ("Whole text", "Ratio", "One step"):
        app.segmented_control(key="t_view").set_value(view)
        app.segmented_control(key="t_axes").set_value("Linear").run()
        assert not app.exception


def test_recorded_run_is_laid_over_with_its_provenance_and_bad_files_get_a_sentence(app: AppTest) -> None:
    app.select_slider(key="t_longest").set_value(16)
    app.button(key="start_sweep").click().run()
    finish(app, "sweep")
    measured = {
        **{"when": "2026-01-31", "model": "a-model", "dtype": "float32", "name": "Some GPU"},
        **{"device": "cuda", "cores": 8, "threads": 4, "torch": "2.13.0"},
    }
    times = {"q25_ms": 0.1, "median_ms": 0.2, "q75_ms": 0.3, "repeats": 9}
    points = [{"path": "cached", "length": 16, **times}]
    good = {"format": FORMAT, "version": 1, "measured": measured, "points": points}
    app.file_uploader(key="t_upload").upload("run.json", json.dumps(good).encode())
    app.run()
    assert not app.exception
    assert "Recorded, not measured here: a-model, float32, on Some GPU" in words(app)
    app.file_uploader(key="t_upload").upload("run.json", b"not json")
    app.run()
    assert not app.exception
    assert app.error[0].value.startswith("The file is no JSON text")
    assert "Recorded, not measured here" not in words(app)


def test_precisions_are_compared(app: AppTest) -> None:
    app.button(key="start_precision").click().run()
    finish(app, "precision")
    assert not app.exception
    assert set(app.table[0].value["precision"]) >= {"float32", "float64"}


def test_a_second_learner_sees_the_place_in_the_queue(app: AppTest, busy: Run[int]) -> None:
    busy.look()
    app.button(key="start_race").click().run()
    assert "1 measurement is ahead of yours" in words(app)
    app.button(key="stop_race").click().run()
    assert app.session_state["timing_race"].run.state == "stopped"
    assert not app.exception


@pytest.mark.parametrize("prompt", ["", "word " * 1500, "🦊 狐 лиса", "<|endoftext|>"])
def test_any_prompt_races(app: AppTest, prompt: str) -> None:
    app.text_input(key="w_prompt").set_value(prompt).run()
    app.select_slider(key=tokens_key(app)).set_value(16)
    app.button(key="start_race").click().run()
    finish(app, "race")
    assert not app.exception
    assert not app.error
    assert "16 tokens: cached in" in words(app)


def tokens_key(app: AppTest) -> str:
    """The slider is another one for each room that the prompt leaves."""
    (key,) = [s.key for s in app.select_slider if s.key and s.key.startswith("t_tokens_")]
    return str(key)
