"""What the memory page says of measured batches and steps: speed, and the trade."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np

from explainer.kit.address import fit, parameters, read
from explainer.kit.palette import LIGHT
from explainer.memory import figures, speed_words, trade_scene
from explainer.memory.choice import LONGEST
from explainer.memory.measure import Load, measurable
from explainer.pages import PAGES
from explainer.timing.choice import TimingChoice
from explainer.timing.figures import TOTAL, VIEWS
from kvengine import available_models, load_model, load_tokenizer
from kvengine.batch import BatchPoint
from kvengine.growth import grow
from kvengine.timing import CACHED, NAIVE, Point, Row

CARD = next(card for card in available_models() if card.name == "stories-1m-h8-kv8")
IDS = tuple(load_tokenizer(CARD.name).encode("Tom and Sara went to the park. Tom gave the ball to"))


def test_measured_batches_are_told_and_drawn() -> None:
    points = [BatchPoint(b, 1.9e-3, 2e-3, 3e-3, 9, 4000, 1000 * b, b, True, 1e-6 * b) for b in (1, 2, 4)]
    said = [speed_words.measured_line(points), speed_words.why_line(points), speed_words.proof_line(points)]
    assert "2,000 tokens a second" in said[0].replace("\\", "")
    assert "fixed cost" in said[1]
    assert "all the same" in said[2]
    wide = [*points, BatchPoint(8, 1e-3, 2e-3, 3e-3, 9, 4000, 8000, 8, True, 0.0)]
    assert "say little" in speed_words.why_line(wide)
    assert not [line for line in said if "{" in line]
    assert len(speed_words.rows(points)) == 3
    assert speed_words.to_csv(points).splitlines()[0].startswith("batch,q25,median")
    figures.measured(points, LIGHT)
    figures.read_bytes(speed_words.counted_points(CARD.config, Load.of(CARD.config)), LIGHT)


def timed(length: int, cached: float, naive: float, difference: float = 2e-6) -> Row:
    """A row as the clock gives it, with quartiles a tenth away."""
    points = {
        path: Point(path, length, 0.9 * took, took, 1.1 * took, 40)
        for path, took in ((CACHED, cached), (NAIVE, naive))
    }
    return Row(length, points, True, difference)


def lines(drawn: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {line["name"]: tuple(cell["text"] for cell in line["cells"]) for line in drawn["rows"]}


def test_the_trade_tells_the_times_that_were_measured_and_who_wins() -> None:
    rows = [timed(1, 1e-3, 1e-3), timed(14, 1e-3, 2e-3, 5e-6)]
    drawn = trade_scene.scene(CARD.config, 14, rows, "waiting")
    told = lines(drawn)
    assert told["Time of this step"] == ("1.00 ms", "2.00 ms, 2.0 times as long")
    assert told["Time of all 14 steps, token by token"] == ("14 ms", "21 ms, 1.5 times as long")
    assert told["What comes out"] == (
        "the same next token as without, at 1, 14 tokens",
        "logits that differ by 5.0e−6 at most: rounding",
    )
    assert "11 times as much, and takes 2.0 times as long: the cache wins" in drawn["note"]
    for cached, said in ((1.95e-3, "the clock does not decide"), (9e-3, "the cache loses")):
        note = trade_scene.scene(CARD.config, 14, [rows[0], timed(14, cached, 2e-3)], "")["note"]
        assert said in note


def test_the_trade_counts_what_the_engine_counts() -> None:
    drawn = trade_scene.scene(CARD.config, 14, [], "being measured")
    assert lines(drawn)["Time of this step"] == ("being measured", "being measured")
    assert drawn["note"] == ""
    text = json.dumps(drawn, ensure_ascii=False)
    assert "11,702,272" in text
    assert "56 KiB" in text
    assert "1 + 2 + … + 14 = 105" in text
    assert not re.search(r"\{\w+\}", json.dumps(drawn["rows"]))


def test_every_cell_of_the_trade_leads_to_a_page_that_is_set_up_for_its_proof() -> None:
    kinds = {page.file: page.choice for page in PAGES}
    drawn = trade_scene.scene(CARD.config, 14, [], "")
    proofs = {line["name"]: [cell["proof"] for cell in line["cells"]] for line in drawn["rows"]}
    assert {len(cells) for cells in proofs.values()} == {2}
    for proof in (proof for cells in proofs.values() for proof in cells):
        kind = kinds[proof["page"]]
        assert kind
        assert proof["params"].keys() <= {p.key for p in parameters(kind).values()}
        asked: Any = read(kind, proof["params"])[0]
        found, notes = fit(asked, CARD.config)
        assert not notes
        assert proof["at"]
        if proof["page"] == "timing":
            assert isinstance(found, TimingChoice)
            assert 14 in (found.longest, found.scale)
    (whole, _) = proofs["Time of all 14 steps, token by token"]
    assert VIEWS[int(whole["params"]["view"]) - 1] == TOTAL


def test_a_large_models_steps_are_cut_to_what_ends_in_time() -> None:
    for card in available_models():
        assert measurable(card.config) > LONGEST
    grown = replace(CARD.config, d_model=2048, n_heads=32, n_kv_heads=8, d_ffn=8192, n_layers=16)
    assert 16 <= measurable(grown) < 100
    assert Load.of(grown).steps < Load.of(CARD.config).steps


def test_a_line_of_bytes_is_straight() -> None:
    used = grow(load_model(CARD.name), IDS, new=5).used
    line = figures.straight(range(14, 20), used, LIGHT).data[0]
    assert np.ptp(np.diff(line.y)) == 0
