"""The memory page, run without a browser."""

import time
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from explainer.kit.lab import LAB, QueueFull, Run
from explainer.memory import runs
from explainer.memory.choice import PARTS, MemoryChoice
from explainer.memory.show import WITH_TEXT

Opened = Callable[..., AppTest]


@pytest.fixture(scope="module", autouse=True)
def no_process_left() -> Iterator[None]:
    yield
    LAB.close()


def own(app: AppTest) -> MemoryChoice:
    found: MemoryChoice = app.session_state["choice"].own[MemoryChoice]
    return found


def go(app: AppTest, **params: str) -> AppTest:
    """Another address in the same session, as a link or the history gives it."""
    app.query_params.clear()
    for name, value in params.items():
        app.query_params[name] = value
    return app.run()


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be measured stays in line."""
    monkeypatch.setattr(LAB, "submit", lambda job: Run(job, time.monotonic))
    monkeypatch.setattr(LAB, "warm_up", lambda: None)


@pytest.mark.usefixtures("idle")
def test_every_part_runs_without_an_error_whatever_the_prompt(open_page: Opened) -> None:
    app = open_page("memory")
    for params in ({}, {"prompt": ""}, {"kv": "1", "prompt": "🙂 story " * 500}):
        for part in WITH_TEXT if params else PARTS:
            go(app, part=part, **params)
            assert not app.exception, (part, params)
            assert not app.error, (part, params)
            assert not app.warning, (part, params)


NONSENSE = [
    {"part": "model", "context": "-5"},
    {"part": "model", "context": "1e30"},
    {"part": "model", "preset": "own", "own": "32_32_64_128_4096_8_0_0"},
    {"part": "model", "preset": "own", "own": "[x](y)_<b>"},
    {"part": "model", "preset": "gpt-9", "gpu": "abacus", "format": "int3", "weights": "7"},
    {"part": "speed", "batch": "0"},
    {"part": "blocks", "requests": "nonsense"},
    {"part": "blocks", "requests": "0-900-900"},
    {"part": "blocks", "places": "1e9"},
    {"part": "blocks", "row": "0"},
]
PUT_RIGHT = [
    {"part": "now", "shape": "nonsense"},
    {"part": "now", "shape": "4.8.16.-3.1.fp32"},
    {"part": "now", "shape": f"4.8.16.{10**30}.1.fp32"},
    {"part": "elsewhere"},
    {"grown": "999"},
    {"part": "heads", "sharing": "9"},
]


@pytest.mark.usefixtures("idle")
def test_nonsense_in_the_address_gets_a_sentence_and_the_page_goes_on(open_page: Opened) -> None:
    app = open_page("memory")
    for params in NONSENSE:
        go(app, **params)
        assert not app.exception, params
        assert len(app.error) == 1, params
        assert app.error[0].value.endswith("."), params
    for params in PUT_RIGHT:
        go(app, **params)
        assert not app.exception, params
        assert len(app.warning) == 1, params
    go(app)
    assert not app.error
    assert not app.warning


def test_a_link_opens_the_calculator_in_its_state(open_page: Opened) -> None:
    app = open_page(
        "memory",
        part="model",
        preset="deepseek-v3",
        context="8k",
        batch="4",
        format="int4",
        gpu="h200",
        gpus="8",
    )
    assert not app.exception
    assert app.selectbox(key="m_preset").value == "deepseek-v3"
    assert app.text_input(key="m_context").value == "8k"
    assert "312,320" not in app.markdown[0].value
    told = " ".join(element.value for element in app.markdown)
    assert "Latent attention" in told
    assert "8 × H200" in told.replace("\\", "")
    assert dict(app.query_params)["context"] in ("8k", ["8k"])


def test_what_is_typed_stands_in_the_address_and_nonsense_gets_a_sentence(open_page: Opened) -> None:
    app = open_page("memory", part="model")
    app.text_input(key="m_context").set_value("4096").run()
    assert own(app).context == "4096"
    app.text_input(key="m_batch").set_value("-3").run()
    assert "The batch is" in app.error[0].value
    app.text_input(key="m_batch").set_value("3").run()
    assert not app.error


def test_own_numbers_begin_as_those_of_the_model_before(open_page: Opened) -> None:
    app = open_page("memory", part="model", preset="qwen3-32b")
    app.selectbox(key="m_preset").set_value("own").run()
    assert app.text_input(key="m_own_layers").value == "64"
    assert app.text_input(key="m_own_head_dim").value == "128"
    app.text_input(key="m_own_kv_heads").set_value("7").run()
    assert "must be a multiple" in app.error[0].value
    app.text_input(key="m_own_kv_heads").set_value("64").run()
    assert not app.error
    assert "Multi-head attention" in " ".join(element.value for element in app.markdown)


def test_another_model_brings_its_own_context(open_page: Opened) -> None:
    app = open_page("memory", part="model", context="1000")
    app.selectbox(key="m_preset").set_value("gpt2-xl").run()
    assert app.text_input(key="m_context").value == "1024"


def test_requests_can_be_edited_and_a_slip_gets_a_sentence(open_page: Opened) -> None:
    app = open_page("memory", part="blocks")
    app.text_area(key="m_requests").set_value("0 10 20\n5 30 40").run()
    assert own(app).requests == "0-10-20_5-30-40"
    app.text_area(key="m_requests").set_value("0 ten 20").run()
    assert "Request 1" in app.error[0].value
    assert not app.exception


def test_a_long_prompt_is_cut_and_that_is_told(open_page: Opened) -> None:
    assert "first 384" in open_page("memory", prompt="a story " * 500).info[0].value


def test_another_prompt_leaves_the_open_part_and_the_calculator(open_page: Opened) -> None:
    app = open_page("memory", part="model", preset="gpt2", batch="7")
    app.text_input(key="w_prompt").set_value("The cat sat").run()
    assert not app.exception
    assert (own(app).part, own(app).preset, own(app).batch) == ("model", "gpt2", "7")


def test_the_steps_of_the_trade_are_measured_once_for_all_who_ask(
    open_page: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To draw a page takes a busy machine longer than a page in a browser stays silent.
    monkeypatch.setattr("explainer.kit.lab.PATIENCE", 180)
    params = {"part": "trade", "prompt": "A cat", "heads": "1", "kv": "1"}
    first = open_page("memory", **params)
    known = list(runs._STEPS.values())
    run = known[-1]
    deadline = time.monotonic() + 180
    while run.active:
        assert time.monotonic() < deadline
        first.run()
        time.sleep(0.4)
    second = open_page("memory", **params)
    assert [row.length for row in run.results] == [1, 2, 3]
    for app in (first.run(), second):
        assert not app.exception
        assert not app.warning
        assert "at 1, 2, 3 tokens" in " ".join(caption.value for caption in app.caption).replace("\\", "")
    assert list(runs._STEPS.values()) == known


def test_a_full_line_leaves_the_rest_of_the_trade(open_page: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(job: object) -> None:
        raise QueueFull("Too many are waiting.")

    monkeypatch.setattr(LAB, "submit", full)
    app = open_page("memory", part="trade", prompt="A dog")
    assert not app.exception
    assert "Too many are waiting" in app.warning[0].value
    assert "Linear, not exponential" in [heading.value for heading in app.header]
