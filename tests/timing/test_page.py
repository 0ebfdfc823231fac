"""The timing page, driven without a browser: runs start, stop, wait their turn, and tell what they found."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit.lab import LAB, Run
from explainer.timing.measure import Race
from kvengine.recording import FORMAT
from tests.timing.jobs import Count, Crash, Unfinished
from tests.timing.test_words import read


@pytest.fixture(scope="module", autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    LAB.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw a page takes a busy machine longer than a page in a browser stays silent."""
    monkeypatch.setattr("explainer.kit.lab.PATIENCE", 180)


@pytest.fixture
def unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """No race ends by itself: otherwise it could be over before the test has done what it is about."""
    monkeypatch.setattr("explainer.timing.show.Race", lambda *given: Unfinished(Race(*given)))


@pytest.fixture
def app(open_page: Callable[..., AppTest]) -> AppTest:
    return open_page("timing")


@pytest.fixture
def busy() -> Iterator[Run[int]]:
    """Somebody else's measurement, which goes on until it is stopped."""
    run = LAB.submit(Count())
    yield run
    run.stop()
    settle(lambda: not run.active)


def settle(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, "this did not come about"
        time.sleep(0.02)


def finish(app: AppTest, name: str) -> AppTest:
    """Look at the page, as its timer does, until the run is over."""
    run = app.session_state[f"run_{name}"].run
    deadline = time.monotonic() + 180
    while run.active:
        assert time.monotonic() < deadline
        app.run()
        time.sleep(0.4)
    return app.run()


def words(app: AppTest) -> str:
    said = [*app.markdown, *app.caption, *app.info, *app.warning, *app.error]
    return read("\n".join(str(element.value) for element in said))


def tokens_key(app: AppTest) -> str:
    """The slider is another one for each room that the prompt leaves."""
    (key,) = [s.key for s in app.select_slider if s.key and s.key.startswith("t_tokens_")]
    return str(key)


def start_race(app: AppTest, tokens: int = 16) -> Run[object]:
    app.select_slider(key=tokens_key(app)).set_value(tokens)
    app.button(key="start_race").click().run()
    run: Run[object] = app.session_state["run_race"].run
    return run


def test_page_opens_with_the_count_and_without_a_measurement(app: AppTest) -> None:
    assert not app.exception
    assert "**500,500** projected rows without the cache, **1,000** with it" in words(app)
    assert "Run the sweep" in words(app)
    assert not app.dataframe


def test_race_runs_to_its_end_and_tells_its_clocks(app: AppTest) -> None:
    run = start_race(app)
    finish(app, "race")
    assert not app.exception
    assert run.state == "done"
    assert "16 tokens: " in words(app)
    assert "Both wrote the same text." in words(app)
    assert [step.path for step in run.results].count("cached") == 16  # type: ignore[attr-defined]
    assert len(run.results) == 32


@pytest.mark.usefixtures("unfinished")
def test_stop_keeps_what_was_measured(app: AppTest) -> None:
    run = start_race(app)
    settle(lambda: bool(run.look() or len(run.results) > 2))
    app.run()
    app.button(key="stop_race").click().run()
    finish(app, "race")
    assert run.state == "stopped"
    assert not app.exception
    kept = len(run.results)
    assert 2 < kept <= 5
    assert "Stopped. What was measured so far is kept." in words(app)
    assert "tokens: " in words(app)
    assert len(run.results) == kept


@pytest.mark.usefixtures("unfinished")
def test_a_page_that_is_closed_gives_up_its_measurement(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explainer.kit.lab.PATIENCE", 0.5)
    run = start_race(app)
    settle(lambda: not run.active)
    assert run.state == "stopped"


def test_a_crash_of_the_measuring_process_is_a_sentence_and_the_next_run_works(app: AppTest) -> None:
    start_race(app)
    finish(app, "race")
    found = app.session_state["run_race"]
    crashed = LAB.submit(Crash())
    settle(lambda: bool(crashed.look() or not crashed.active))
    app.session_state["run_race"] = type(found)(crashed, found.setting, found.size, found.prompt, found.when)
    crashed._results.clear()  # its results are no steps of a race
    app.run()
    assert not app.exception
    assert "The measuring process ended unexpectedly (exit code 3)" in words(app)
    start_race(app)
    finish(app, "race")
    assert "16 tokens: " in words(app)


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
    assert "**Measured.** The same text takes" in words(app)
    assert "One model for all points" in words(app)
    assert "At 5 of 5 lengths both paths pick the same next token" in words(app)
    assert "hides later tokens from earlier ones, throws the result away" in words(app)
    for view in ("Whole text", "Ratio", "One step"):
        app.segmented_control(key="t_view").set_value(view)
        app.segmented_control(key="t_axes").set_value("Linear").run()
        assert not app.exception


def test_a_link_sets_up_what_one_click_measures_and_the_address_follows(
    open_page: Callable[..., AppTest],
) -> None:
    app = open_page("timing", longest="6", view="2", scale="6", prompt="A cat")
    assert app.select_slider(key="t_longest").value == 6
    assert "6 tokens: 1 + 2 + … + 6 = **21**" in words(app)
    app.button(key="start_sweep").click().run()
    finish(app, "sweep")
    assert "At 4 of 4 lengths both paths pick the same next token" in words(app)
    assert app.segmented_control(key="t_view").value == "Whole text"
    app.select_slider(key="t_longest").set_value(64).run()
    app.segmented_control(key="t_view").set_value("Ratio").run()
    assert not app.exception
    said = {key: str(value) for key, value in app.query_params.items()}
    assert "64" in said["longest"]
    assert "3" in said["view"]


HOSTILE = "![x](//host/a) $x^2$ <b>b</b>"


def recorded(**changes: object) -> bytes:
    measured = {
        **{"when": "2026-01-31", "model": "a-model", "dtype": "float32", "name": HOSTILE},
        **{"device": "cuda", "cores": 8, "threads": 4, "torch": "2.13.0"},
    }
    times = {"q25_ms": 0.1, "median_ms": 0.2, "q75_ms": 0.3, "repeats": 9}
    points = [{"path": "cached", "length": 16, **times, **changes}]
    return json.dumps({"format": FORMAT, "version": 1, "measured": measured, "points": points}).encode()


def test_a_recorded_run_is_laid_over_as_text_and_bad_files_get_a_sentence(app: AppTest) -> None:
    app.select_slider(key="t_longest").set_value(16)
    app.button(key="start_sweep").click().run()
    finish(app, "sweep")
    app.file_uploader(key="t_upload").upload("run.json", recorded())
    app.run()
    assert not app.exception
    assert f"Recorded, not measured here: a-model, float32, on {HOSTILE}" in words(app)
    everything = "\n".join(str(element.value) for element in [*app.markdown, *app.caption])
    assert HOSTILE not in everything
    assert r"\!\[x\]\(\/\/host\/a\)" in everything
    for view in ("Whole text", "Ratio"):
        app.segmented_control(key="t_view").set_value(view).run()
        assert not app.exception
    huge = recorded(q75_ms=0).replace(b'"q75_ms": 0', b'"q75_ms": 1' + b"0" * 400)
    for bad, complaint in (
        (b"not json", "The file is no JSON text"),
        (huge, '"q75_ms" must be milliseconds'),
        (recorded(q75_ms=HOSTILE), HOSTILE),
    ):
        app.file_uploader(key="t_upload").upload("run.json", bad)
        app.run()
        assert not app.exception
        assert complaint in read(app.error[0].value)
        assert HOSTILE not in app.error[0].value
        assert "Recorded, not measured here" not in words(app)


def test_precisions_are_compared(app: AppTest) -> None:
    app.button(key="start_agreement").click().run()
    finish(app, "agreement")
    assert not app.exception
    assert set(app.table[0].value["precision"]) >= {"float32", "float64"}


def test_a_second_learner_sees_the_place_in_the_queue(app: AppTest, busy: Run[int]) -> None:
    settle(lambda: bool(busy.look() or busy.results))
    run = start_race(app)
    assert "One measurement is ahead of yours" in words(app)
    app.button(key="stop_race").click().run()
    assert run.state == "stopped"
    assert run.results == []
    assert not app.exception


@pytest.mark.parametrize("prompt", ["", "word " * 1500, "🦊 狐 лиса", "<|endoftext|>"])
def test_any_prompt_races(app: AppTest, prompt: str) -> None:
    app.text_input(key="w_prompt").set_value(prompt).run()
    start_race(app)
    finish(app, "race")
    assert not app.exception
    assert not app.error
    assert "16 tokens: " in words(app)


def test_the_page_is_thin() -> None:
    page = Path(__file__).resolve().parents[2] / "pages" / "timing.py"
    assert len(page.read_text(encoding="utf-8").splitlines()) <= 120
