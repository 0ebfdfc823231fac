"""The scene of the avoided work sends what was found, and no more than that."""

from typing import Any

import numpy as np
import pytest

from explainer.avoided_work import figures
from explainer.avoided_work.findings import shares
from explainer.avoided_work.scene import _tensor, operands
from explainer.avoided_work.words import KEYS
from explainer.kit.encode import pack
from explainer.kit.palette import DARK, LIGHT, Palette
from kvengine import load_model
from kvengine.compare import State
from kvengine.experiments import Premise, avoided_shares, name_of
from tests.avoided_work.samples import MODEL, PREMISES, drawn, found


def expanded(sent: dict[str, Any], hidden: float) -> tuple[np.ndarray, np.ndarray]:
    """Values and states as the browser makes them of a message."""
    states = np.repeat(sent["states"], sent["lengths"]).reshape(sent["shape"])
    values = np.full(sent["shape"], hidden, dtype=np.float32)
    values[states != State.MASKED] = sent["now"]
    return values, states


@pytest.mark.parametrize("premise", PREMISES)
@pytest.mark.parametrize("layer", [0, 3])
def test_values_and_states_are_those_of_the_comparison(premise: Premise, layer: int) -> None:
    data, before = drawn(premise, layer), operands(found(premise), load_model(MODEL), layer)
    for key in KEYS[:-1]:
        tensor = found(premise).tensors[name_of(key, layer)]
        values, states = expanded(data["tensors"][key], -np.inf if key == "scores" else 0)
        assert np.array_equal(values.reshape(tensor.now.shape), tensor.now), key
        assert np.array_equal(states.reshape(tensor.state.shape), tensor.state), key
        same = tensor.now[tuple(slice(n) for n in tensor.was.shape)]
        was = before[f"was_{key}"].reshape(tensor.was.shape) if f"was_{key}" in before else same
        assert np.array_equal(was, tensor.was), key


def test_masked_cells_are_not_sent() -> None:
    heads, rows, cols = drawn(Premise())["tensors"]["scores"]["shape"]
    assert len(drawn(Premise())["tensors"]["scores"]["now"]) == heads * rows * (rows + 1) // 2
    assert len(drawn(Premise(causal=False))["tensors"]["scores"]["now"]) == heads * rows * cols


def test_a_run_of_equal_states_longer_than_two_bytes_can_say_is_sent_in_parts() -> None:
    now = np.zeros((2, 50_000), dtype=np.float32)
    sent = _tensor(now, np.full(now.shape, State.EQUAL))
    assert int(sent["lengths"].astype(int).sum()) == now.size
    assert np.array_equal(expanded(sent, 1)[1].ravel(), np.full(now.size, State.EQUAL))


@pytest.mark.parametrize("premise", [Premise(), Premise(causal=False), Premise(changed=1)])
@pytest.mark.parametrize(("t", "limit"), [(13, 150_000), (64, 1_000_000)])
def test_a_message_is_small(premise: Premise, t: int, limit: int) -> None:
    assert len(pack(drawn(premise, t=t))) <= limit
    assert len(pack(operands(found(premise, t), load_model(MODEL), 1))) <= limit


@pytest.mark.parametrize("premise", PREMISES[1:])
def test_the_largest_difference_is_at_the_cell_it_names(premise: Premise) -> None:
    r, where = found(premise), drawn(premise)["found"]["where"]
    tensor = r.tensors[name_of(where["op"], where["layer"])]
    index = (where["head"], where["row"], where["col"])[-tensor.now.ndim :]
    assert abs(tensor.now[index] - tensor.was[index]) == where["largest"]
    assert where["largest"] == max(other.largest for other in r.tensors.values())


def test_the_probabilities_of_the_next_token_are_those_at_the_temperature() -> None:
    greedy, warm = drawn(Premise()), drawn(Premise(), temperature=0.8)
    logits = found(Premise(), temperature=0.8).logits.astype(np.float64)
    exp = np.exp((logits - logits.max()) / 0.8)
    for _, logit, chance, _ in warm["top"]:
        assert chance == pytest.approx(np.exp((logit - logits.max()) / 0.8) / exp.sum(), rel=1e-5)
    assert warm["top"][0][2] != pytest.approx(greedy["top"][0][2], rel=1e-3)
    for data in (greedy, warm):
        [chosen] = [entry for entry in data["top"] if entry[3]]
        assert chosen[0] == data["values"]["next_token"]
        assert f"{chosen[2]:.2f}" == data["values"]["probability"]


def test_no_token_of_the_text_gets_into_markup() -> None:
    data = drawn(Premise(), t=12)
    assert "<b>" in "".join(data["texts"])
    assert not any("<b>" in markup for op in data["ops"] for markup in op["formulas"])


# ---- figures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("premise", PREMISES)
def test_shares_are_those_of_the_comparison_and_add_up(premise: Premise) -> None:
    r = found(premise)
    counted, engine = shares(r), avoided_shares(r)
    assert list(counted) == [*KEYS[:-1], "all"]
    for key, share in counted.items():
        assert share.equal == pytest.approx(engine[key])
        assert min(share.equal, share.different, share.new) >= 0
    assert (counted["all"].different > 0) == (not premise.holds)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("premise", [Premise(), Premise(changed=3)])
def test_the_figures_draw_the_shares_in_the_colours_of_the_page(palette: Palette, premise: Premise) -> None:
    r = found(premise)
    counted = shares(r)
    bars = figures.by_operation(tuple(counted.items()), palette)
    named = dict(zip(bars.data[0].y, bars.data[0].x, strict=True))
    assert named["K"] == pytest.approx(100 * counted["k"].equal)
    assert sum(np.array(trace.x) for trace in bars.data) == pytest.approx(np.full(14, 100))
    looks = {trace.name: (trace.marker.color, trace.marker.pattern.shape) for trace in bars.data}
    assert looks["as before"] == (palette.blue, "/")
    assert looks["new"] == (palette.orange, None)
    assert looks.get("different", (palette.violet, "x")) == (palette.violet, "x")
    assert ("different" in looks) == (not premise.holds)
    lengths = figures.by_length(((4, shares(found(premise, 4))["all"]), (7, counted["all"])), 7, palette)
    assert lengths.data[0].x == ("4", "<b>7</b>")
    assert lengths.data[0].y[1] == pytest.approx(100 * counted["all"].equal)


def test_the_passes_need_the_cached_work_and_repeat_the_rest() -> None:
    config, r = load_model(MODEL).config, found(Premise())
    needed, repeated = figures.passes(config, r.t, 3, LIGHT).data
    assert repeated.y[0] == 0, "nothing is repeated in the first pass"
    assert needed.y[1] == pytest.approx(r.cached.multiplications / 1e6)
    assert needed.y[1] + repeated.y[1] == pytest.approx(r.naive.multiplications / 1e6)
