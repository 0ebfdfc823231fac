"""The timing lab's sentences: every number is the run's, one is one, and what a file says stays text."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explainer.kit import waiting
from explainer.kit.units import milliseconds
from explainer.kit.words import names
from explainer.timing import reasons, words
from kvengine.hardware import Hardware
from kvengine.race import TimedStep
from kvengine.speed import Estimate, fit, step_cost, step_masked
from kvengine.timing import CACHED, NAIVE, Agreement, Row
from tests.timing.samples import CONFIG, LENGTHS, RECORDING, ROWS, a_row


def read(markdown: str) -> str:
    """What a reader of the rendered Markdown sees."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def raced(n: int, cached: float, naive: float) -> list[TimedStep]:
    return [
        TimedStep(path, 5 + i, 7 + i, seconds)
        for i in range(n)
        for path, seconds in ((CACHED, cached), (NAIVE, naive))
    ]


# ---- the file --------------------------------------------------------------------------------------------


def everything_said() -> Iterator[object]:
    """Call all that fills in sentences, so that each branch is taken."""
    steps = raced(4, 0.001, 0.003)
    yield words.race_text()
    yield words.race_how()
    yield words.cut_line(900, 448, 512)
    for cached, naive in ((0.001, 0.003), (0.003, 0.001), (0.001, 0.001)):
        yield words.race_line(raced(4, cached, naive))
    yield words.race_line([*steps[:-1], replace(steps[-1], token_id=999)])
    yield words.guess_line(5, steps), words.guess_line(2, steps), words.guess_line(1, steps)
    hardware = Hardware("A processor", "cpu", 1, 1, "2.13.0")
    yield words.machine_line(hardware, "m", "float32")
    yield words.setting_line("m", "float32", 2)
    yield words.recorded_line(RECORDING.provenance)
    yield waiting.queue_line(1), waiting.queue_line(2)
    for state in ("stopped", "out of time", "failed"):
        yield waiting.ended_line(state, "It broke.", 120)
    yield words.progress_line(1, LENGTHS), words.progress_line(4, LENGTHS)
    yield words.past_context_line(512, 2048), words.measured_alt(ROWS, "One step")
    yield words.losing_line(ROWS), words.losing_line(ROWS[2:])
    yield words.losing_line([a_row(4, 1e-3, 1e-3)]), words.agreement_line(ROWS)
    yield words.counted_line(CONFIG, LENGTHS), words.counted_line(CONFIG, (600,))
    yield reasons.scale_line(1000), reasons.measured_scale_line(2.0, 1.0)
    yield reasons.sweep_first_line(10, 0), reasons.sweep_first_line(10, 5)
    for rows in (ROWS, [a_row(n, 2e-3, 1e-3) for n in LENGTHS], [a_row(n, 1e-3, 1e-3) for n in LENGTHS]):
        found = fit(CONFIG, rows)
        assert found
        for history in (Estimate(0.0, 0.0), Estimate(1e-6, 1e-7)):
            model = replace(found, per_token=history)
            yield reasons.fit_reasons(CONFIG, rows, model, 4)
            yield reasons.fit_line(model)
    yield words.agreement_row(Agreement("float32", 9, 8, 1e-6))


#: Said as they stand, by the page and its parts.
PLAIN = {
    *(f"page.{name}" for name in ("title", "lead", "measure_with", "device", "precision", "threads")),
    *("race.title", "race.tokens", "race.start", "race.guess", "prefill.text", "prefill.alt"),
    *(f"sweep.{name}" for name in ("title", "text", "longest", "cat", "cat_help", "start", "show", "axes")),
    *(f"sweep.{name}" for name in ("counted_as", "measured", "counted", "step", "total", "ratio")),
    *(f"files.{name}" for name in ("title", "text", "csv", "json", "keep", "forget", "upload")),
    *("scale.title", "scale.text", "scale.tokens", "scale.measured_alt"),
    *("why.title", "why.not_swept", "why.fitted", "why.fitted_alt", "why.parts_alt"),
    *("agreement.title", "agreement.text", "agreement.start"),
}

#: Filled in by the parts of the page themselves.
FILLED_THERE = {
    "sweep.counted_alt": {"quantity"},
    "scale.counted_alt": {"tokens"},
    "why.parts": {"tokens"},
}


def test_every_sentence_of_the_file_is_said_and_each_name_in_it_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, set[str]] = {}
    tell, label = words.tell, words.label

    def noted(say: Any) -> Any:
        def said(key: str, **values: object) -> str:
            given[key] = set(values)
            return str(say(key, **values))

        return said

    for module in (words, reasons):
        monkeypatch.setattr(module, "tell", noted(tell))
        monkeypatch.setattr(module, "label", noted(label))
    assert all(everything_said())
    given |= FILLED_THERE | {key: set() for key in PLAIN}
    tables = words.WORDS.items()
    written = {f"{table}.{name}": names(text) for table, texts in tables for name, text in texts.items()}
    assert written == given


def test_what_is_said_as_it_stands_is_asked_for_by_the_page_and_its_parts() -> None:
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "explainer" / "timing").glob("*.py"), root / "pages" / "timing.py"]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    asked = set(re.findall(r"""["'](\w+\.\w+)["']""", source))
    assert (PLAIN | set(FILLED_THERE)) <= asked


def test_no_number_is_typed_in_the_file() -> None:
    for table, texts in words.WORDS.items():
        for name, text in texts.items():
            assert not re.search(r"\d", text), f"{table}.{name}"


def test_no_sentence_has_a_gap_or_a_double_space() -> None:
    for said in everything_said():
        assert said
        assert "  " not in str(said)
        assert "None" not in str(said)


# ---- the race --------------------------------------------------------------------------------------------


def test_race_line_tells_clocks_tokens_and_prefill_from_the_steps() -> None:
    line = read(words.race_line(raced(4, 0.001, 0.003)))
    assert line.startswith(
        "4 tokens: 4.00 ms with the cache, 12 ms without. The naive path took 3.0× as long."
    )
    assert "Both wrote the same text." in line
    assert "The first token took 1.00 ms and 3.00 ms" in line
    other = [*raced(4, 0.001, 0.003)[:-1], TimedStep(NAIVE, 8, 999, 0.003)]
    assert "They agree in 3 of 4 tokens." in read(words.race_line(other))
    assert words.race_line([]) == words.race_line(raced(1, 1.0, 1.0)[:1]) == ""


@pytest.mark.parametrize(
    ("naive", "guess", "expected"),
    [
        (0.009, 5, "You guessed 5×: of these guesses the closest."),
        (0.011, 5, "You guessed 5×; of these guesses 20× is the closest."),  # 2.2 times 5, 20 by 1.8
        (0.0005, 100, "You guessed 100×; of these guesses 1× is the closest."),
    ],
)
def test_a_guess_is_held_against_the_race(naive: float, guess: int, expected: str) -> None:
    assert read(words.guess_line(guess, raced(4, 0.001, naive))) == expected
    assert words.guess_line(guess, []) == ""


def test_a_race_that_was_stopped_compares_what_both_have() -> None:
    line = read(words.race_line([*raced(3, 0.001, 0.003), *raced(9, 0.001, 0.003)[6::2]]))
    assert line.startswith("3 tokens: 3.00 ms with the cache, 9.00 ms without.")


@pytest.mark.parametrize(
    ("cached", "naive", "expected"),
    [
        (1.0, 9.1, "The naive path took 9.1× as long."),
        (1.25, 1.0, "The cached path took 1.2× as long."),
        (1.0, 1.04, "Both took about the same time."),
        (1.04, 1.0, "Both took about the same time."),
    ],
)
def test_the_slower_path_is_called_slower_whichever_it_is(cached: float, naive: float, expected: str) -> None:
    assert words.longer(cached, naive) == expected
    assert expected in read(words.race_line(raced(3, cached, naive)))
    assert expected in read(reasons.measured_scale_line(naive, cached))


def test_no_sentence_calls_a_ratio_below_one_faster() -> None:
    slower = [a_row(n, 2e-3, 1e-3) for n in LENGTHS]
    found = fit(CONFIG, slower)
    assert found
    (title, _), *_ = reasons.fit_reasons(CONFIG, slower, found, 4)
    assert read(title) == "64× fewer projections, 2.0× the time"
    said = " ".join(map(str, everything_said()))
    assert not re.search(r"\b0\.\d+× (as|the|fewer)", read(said))


# ---- the sweep -------------------------------------------------------------------------------------------


def test_losing_line_says_where_the_cache_costs_and_from_where_it_pays() -> None:
    line = words.losing_line(ROWS)
    assert line.startswith("At 1 token the cached step is clearly slower")
    assert line.endswith("From 16 tokens on it is clearly faster.")
    assert "faster at every one" in words.losing_line(ROWS[2:])
    assert "not clearly faster at the longest" in words.losing_line([a_row(4, 1e-3, 1e-3)])
    two = [a_row(1, 2e-3, 1e-3), a_row(4, 2e-3, 1e-3), *ROWS[2:]]
    assert words.losing_line(two).startswith("At 1 and 4 tokens")


def test_what_is_counted_is_said_with_the_masked_products() -> None:
    n = max(LENGTHS)
    naive, cached = (step_cost(CONFIG, path, n).multiplications for path in (NAIVE, CACHED))
    hidden = step_masked(CONFIG, NAIVE, n)
    assert 0 < hidden < naive
    line = read(words.counted_line(CONFIG, LENGTHS))
    assert f"{naive / cached:.0f}×" in line
    assert f"{(naive - hidden) / cached:.0f}×" in line
    assert "512" not in line
    assert "In texts of more than 512 tokens" in read(words.counted_line(CONFIG, (16, 1024)))


def test_agreement_is_told_from_the_rows() -> None:
    rows = [*ROWS[:3], Row(64, ROWS[3].points, same_token=False, difference=2e-5)]
    line = read(words.agreement_line(rows))
    assert "At 3 of 4 lengths both paths pick the same next token." in line
    assert line.endswith("differ by at most 2.0e−5.")
    assert words.agreement_row(Agreement("float32", 9, 8, 1e-6))["same next token"] == "8 of 9 steps"
    assert words.agreement_row(Agreement("float32", 1, 1, 0.0))["same next token"] == "1 of 1 step"


# ---- to scale, and why -----------------------------------------------------------------------------------


def test_scale_line_is_the_count() -> None:
    line = read(reasons.scale_line(1000))
    assert line.startswith("**Counted.** 1,000 tokens: 1 + 2 + … + 1,000 = **500,500** projected rows")
    assert "**1,000** with it: 500.5× fewer" in line


def test_reasons_are_filled_in_from_the_run() -> None:
    found = fit(CONFIG, ROWS)
    assert found is not None
    (first, numbers), *_ = reasons.fit_reasons(CONFIG, ROWS, found, 4)
    last = ROWS[-1].points
    ratio = last[NAIVE].median / last[CACHED].median
    assert read(first) == f"64× fewer projections, {ratio:.1f}× the speed"
    assert milliseconds(last[CACHED].median) in read(numbers)


def test_each_part_of_the_step_is_named_once_and_together_they_are_the_step() -> None:
    found = fit(CONFIG, ROWS)
    assert found is not None
    _, fixed, work, history = (read(text) for _, text in reasons.fit_reasons(CONFIG, ROWS, found, 4))
    parts = found.parts(CONFIG, CACHED, max(LENGTHS))
    for text, seconds in zip((fixed, work, history), parts, strict=True):
        assert milliseconds(seconds) in text
    assert f"{parts[0] / sum(parts):.0%}" in fixed
    assert f"{parts[1] / sum(parts):.0%}" in work


def test_the_fit_shows_how_sure_it_is() -> None:
    found = fit(CONFIG, ROWS)
    assert found is not None
    sure = replace(
        found,
        fixed=Estimate(5.4e-4, 2e-5),
        per_multiplication=Estimate(1 / 2.8e10, 1 / 2.8e11),
        per_token=Estimate(1.34e-6, 9.3e-7),
    )
    line = read(reasons.fit_line(sure))
    assert "Fixed: 0.54 ± 0.02 ms a step." in line
    assert "Multiplying: 28 billion a second, ±10%." in line
    assert "1.3 ± 0.9 µs for each token" in line
    none = replace(
        sure, per_token=Estimate(0.0, 0.0), fixed=Estimate(0.0, 0.0), per_multiplication=Estimate(0.0, 0.0)
    )
    assert read(reasons.fit_line(none)).count("no time that shows") == 3


# ---- what others wrote -----------------------------------------------------------------------------------

HOSTILE = ["![x](//host/a)", "[x](//host)", "$x^2$", "<img src=x>", "**bold**", ":material/close:", "`x`"]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_file_says_stays_text(name: str) -> None:
    hardware = replace(RECORDING.provenance.hardware, name=name, torch=name)
    provenance = replace(RECORDING.provenance, hardware=hardware, model=name, dtype=name, when=name)
    line = words.recorded_line(provenance)
    assert read(line).count(name) == 5
    assert name not in line
    assert not re.search(r"(?<!\\)[\[\]<>$`*]", line)


def test_an_error_stays_text() -> None:
    assert r"\[x\]\(y\)" in waiting.ended_line("failed", "It met [x](y).", 1)


def test_recorded_numbers_are_never_called_live() -> None:
    line = read(words.recorded_line(RECORDING.provenance))
    assert line.startswith("Recorded, not measured here")
    assert "Some GPU, 8 cores (cuda, 4 threads), torch 2.13.0" in line


# ---- one is one ------------------------------------------------------------------------------------------


def test_small_sentences() -> None:
    assert words.past_context_line(512, 512) == ""
    assert "trained on 512 positions" in read(words.past_context_line(512, 2048))
    assert waiting.queue_line(1).startswith("One measurement is ahead of yours")
    assert waiting.queue_line(3).startswith("3 measurements are ahead of yours")
    assert read(words.progress_line(1, LENGTHS)) == "1 of 4 lengths measured, now 4 tokens"
    assert read(words.progress_line(0, (1,))) == "0 of 1 length measured, now 1 token"
    cut = read(words.cut_line(900, 448, 512))
    assert "first 448 are used" in cut
    assert "64 positions are left" in cut
    assert "after 120 seconds" in waiting.ended_line("out of time", "", 120.0)
    assert words.hardware_line(Hardware("P", "cpu", 1, 1, "2")) == "P, 1 core (cpu, 1 thread), torch 2"
