"""The scene of the avoided work sends what was found, and its words say what was counted."""

import base64
import json
from functools import cache
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from explainer.figures import avoided_work as figures
from explainer.figures.timing_parts import DARK, LIGHT
from explainer.scenes.avoided_work import scene
from explainer.story.avoided_work import OPERATIONS
from kvengine import load_model, load_tokenizer
from kvengine.compare import State
from kvengine.experiments import Premise, Recomputation, avoided_shares, name_of, recompute, text_of_length

MODEL = "stories-1m-h8-kv4"
PREMISES = (Premise(), Premise(causal=False), Premise(changed=3))


@cache
def found(premise: Premise, t: int = 7) -> Recomputation:
    model, tokenizer = load_model(MODEL), load_tokenizer(MODEL)
    ids = tokenizer.encode('Lily said, "I see <b>a cat</b> & a dog')
    return recompute(model, text_of_length(model, ids, t + 1), premise)


def drawn(premise: Premise, layer: int = 1, t: int = 7) -> dict[str, Any]:
    text_of = load_tokenizer(MODEL).token_text
    return scene(found(premise, t), load_model(MODEL), text_of, layer=layer, head=0, scene_id="test")


def array(encoded: dict[str, Any], dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(encoded["b64"]), dtype=dtype).reshape(encoded["shape"])


@pytest.mark.parametrize("premise", PREMISES)
@pytest.mark.parametrize("layer", [0, 3])
def test_values_and_states_are_those_of_the_comparison(premise: Premise, layer: int) -> None:
    data = drawn(premise, layer)
    for operation in OPERATIONS[:-1]:
        tensor = found(premise).tensors[name_of(operation.key, layer)]
        sent = data["tensors"][operation.key]
        assert np.array_equal(array(sent["now"], "<f4").reshape(tensor.now.shape), tensor.now)
        assert np.array_equal(array(sent["state"], "u1").reshape(tensor.state.shape), tensor.state)
        was = tensor.now[tuple(slice(n) for n in tensor.was.shape)] if sent["was"] is None else None
        was = array(sent["was"], "<f4").reshape(tensor.was.shape) if was is None else was
        assert np.array_equal(was, tensor.was)


@pytest.mark.parametrize("premise", PREMISES)
@pytest.mark.parametrize("t", [2, 3, 7])
def test_every_formula_is_well_formed_and_coloured_as_found(premise: Premise, t: int) -> None:
    if (premise.changed or 0) >= t:
        return
    for operation in drawn(premise, t=t)["ops"]:
        kinds = set()
        for markup in operation["formulas"]:
            tree = ElementTree.fromstring(markup)
            assert tree.tag == "math"
            kinds |= {node.get("class") for node in tree.iter()} & {"cached", "fresh", "differs", "masked"}
        if premise.holds and operation["key"] not in ("readout", "scores", "weights"):
            assert kinds == {"cached", "fresh"}
        if not premise.causal and operation["key"] != "readout":
            assert "differs" in kinds
            assert "masked" not in kinds


def test_the_finding_counts_what_was_compared() -> None:
    r = found(Premise())
    data = drawn(Premise())["found"]
    assert f"{r.equal:,} of {r.compared:,} earlier cells" in data["text"]
    assert (data["holds"], data["equal"], data["compared"]) == (True, r.equal, r.compared)
    broken = drawn(Premise(changed=3))["found"]
    r = found(Premise(changed=3))
    assert not broken["holds"]
    above = sum(int((t.state[..., :3, :] == State.EQUAL).sum()) for t in r.tensors.values())
    assert f"{above:,} of {above:,} cells came out as before" in broken["text"]
    for operation in drawn(Premise(changed=3), layer=2)["ops"][:-1]:
        tensor = r.tensors[name_of(operation["key"], 2)]
        assert f"{tensor.count(State.EQUAL):,} of its {tensor.compared:,}" in operation["why"]


@pytest.mark.parametrize("premise", PREMISES[1:])
def test_the_largest_difference_is_at_the_cell_it_names(premise: Premise) -> None:
    r, where = found(premise), drawn(premise)["found"]
    tensor = r.tensors[name_of(where["op"], where["layer"])]
    index = (where["head"], where["row"], where["col"])[-tensor.now.ndim :]
    assert abs(tensor.now[index] - tensor.was[index]) == where["largest"]
    assert where["largest"] == max(other.largest for other in r.tensors.values())


def test_the_reductions_say_what_was_counted_and_run() -> None:
    r = found(Premise())
    steps = drawn(Premise())["reductions"]
    said = [f"{step['focus']} {step['why']} {step['verdict']}" for step in steps]
    assert f"{r.naive.multiplications:,}" in said[0]
    assert f"{r.stored.floats:,}" in said[1]
    assert f"{r.cached.floats:,} of {r.stored.floats:,}" in said[2]
    assert "only K and V" in said[2]
    assert f"{r.cached.floats:,}" in said[3]
    assert all(step["verdict"].startswith("✓") for step in (steps[1], steps[3]))
    broken = drawn(Premise(changed=3))
    assert all(broken["reductions"][i]["verdict"].startswith("✗") for i in (1, 3))
    assert [way["holds"] for way in broken["ways"]] == [True, False, False]


def test_a_scene_is_plain_data_of_reasonable_size() -> None:
    text = json.dumps(drawn(Premise(), t=12), allow_nan=False)
    assert len(text) < 1_200_000


def test_no_token_of_the_text_gets_into_markup() -> None:
    data = drawn(Premise(), t=12)
    assert "<b>" in "".join(data["texts"])
    assert not any("<b>" in markup for op in data["ops"] for markup in op["formulas"])


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_the_figures_draw_the_shares(palette: Any) -> None:
    r = found(Premise())
    shares = avoided_shares(r)
    bars = figures.by_operation(shares, palette)
    named = dict(zip(bars.data[0].y, bars.data[0].x, strict=True))
    assert named["K"] == pytest.approx(100 * shares["k"])
    assert [a + b for a, b in zip(bars.data[0].x, bars.data[1].x, strict=True)] == pytest.approx([100] * 14)
    curve = figures.by_length({7: shares, 2: avoided_shares(found(Premise(), 2))}, 7, palette)
    assert curve.data[0].y[0] == pytest.approx(100 * shares["all"])
    passes = figures.passes(load_model(MODEL).config, 7, 3, palette)
    naive, cached = passes.data[0].y, passes.data[1].y
    assert naive[0] == cached[0]
    assert all(a > b for a, b in zip(naive[1:], cached[1:], strict=True))
