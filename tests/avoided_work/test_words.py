"""What the avoided work says: every name filled, no number typed, and nothing that the run does not show."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from explainer import kit
from explainer.avoided_work.findings import _verdict, small
from explainer.avoided_work.words import KEYS, WORDS, chart_values, chart_words
from explainer.kit.words import names, words_of
from kvengine import load_model
from kvengine.compare import TOLERANCE, State
from kvengine.experiments import Premise, name_of
from kvengine.graph import LAYER
from tests.avoided_work.samples import MODEL, PREMISES, drawn, found

TERMS = words_of(Path(kit.__file__).with_name("terms.toml"))


SAID = ("title", "focus", "why", "line", "say", "ask")


def sentences(table: Any) -> Iterator[str]:
    if isinstance(table, str):
        yield table
    else:
        for part in table.values() if isinstance(table, dict) else table:
            yield from sentences(part)


def filled(template: str, *values: dict[str, str], templates: dict[str, str] | None = None) -> str:
    """A sentence as the scene says it."""
    for name, inside in (templates or {}).items():
        template = template.replace(f"{{{name}}}", inside)
    known = {name: value for part in values for name, value in part.items()}
    assert names(template) <= set(known), template
    return re.sub(
        r"\{(\w+)\}", lambda name: known[name[1]], re.sub(r"\[([^]]*)\]\([#?]\w+\)", r"\1", template)
    )


def said(data: dict[str, Any]) -> list[str]:
    """Every sentence of a scene."""
    values, templates = data["values"], data["templates"]
    spoken = []
    for entry in [*data["ops"], *data["reductions"]]:
        own = entry.get("values", {}) | entry.get("verdict_values", {})
        parts = (entry[name] for name in (*SAID, "verdict") if name in entry)
        spoken += [filled(part, values, own, templates=templates) for part in parts]
    finding = data["found"]
    spoken += [filled(finding[name], finding["values"]) for name in ("text", "tolerance", "largest", "jump")]
    for way in data["ways"]:
        told = data["words"]["ways"]
        spoken += [
            filled(told[name], way["values"]) for name in ("computes", "keeps", "token", "note", "naive_note")
        ]
    spoken.append(filled(data["words"]["map"], values))
    spoken += [
        filled(data["words"]["cell"][name], values) for name in ("given", "given_first", "new", "masked")
    ]
    return spoken


@pytest.mark.parametrize("premise", PREMISES)
@pytest.mark.parametrize("layer", [0, 1, 3])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_every_name_in_the_sentences_is_filled(premise: Premise, layer: int, temperature: float) -> None:
    for sentence in said(drawn(premise, layer, temperature=temperature)):
        assert "{" not in sentence
        assert not re.search(r"\b1 (rows|tokens|layers|heads|numbers)\b", sentence)


def test_no_number_is_typed_into_a_sentence() -> None:
    for sentence in sentences(WORDS):
        assert not re.search(r"\d", re.sub(r"\{\w+\}", "", sentence)), sentence


def test_every_term_is_explained_and_every_reference_is_in_the_picture() -> None:
    for sentence in sentences(WORDS):
        assert set(re.findall(r"\]\(\?(\w+)\)", sentence)) <= set(TERMS)
        assert set(re.findall(r"\]\(#(\w+)\)", sentence)) <= {"old", "new"}
    explained = drawn(Premise())["terms"]
    for term in ("naive", "norm", "silu", "mlp", "residual", "logits", "layer", "head", "mask", "softmax"):
        assert term in explained


@pytest.mark.parametrize("t", [2, 64])
def test_the_shortest_text_has_its_plurals_right(t: int) -> None:
    data = drawn(Premise(changed=1), t=t)
    assert any("In the 1 row above it" in sentence for sentence in said(data))


# ---- what is claimed -------------------------------------------------------------------------------------


def test_tokens_have_met_before_in_a_layer_above_the_first() -> None:
    for layer in (0, 2):
        spoken = " ".join(said(drawn(Premise(), layer)))
        assert "for the first time" not in spoken
        assert "no token has met" not in spoken
        assert "each row of this layer was computed from its own row alone" in spoken


@pytest.mark.parametrize("premise", PREMISES)
@pytest.mark.parametrize("t", [4, 7])
def test_every_formula_is_well_formed_and_coloured_as_found(premise: Premise, t: int) -> None:
    looks = {State.EQUAL: "again", State.NEW: "fresh", State.DIFFERENT: "differs", State.MASKED: "masked"}
    for layer in (0, 2):
        for operation in drawn(premise, layer, t=t)["ops"]:
            seen = set()
            for markup in operation["formulas"]:
                tree = ElementTree.fromstring(markup)
                assert tree.tag == "math"
                seen |= {node.get("class") for node in tree.iter()} & set(looks.values())
            if operation["key"] == "readout":
                assert seen == {"fresh"}
                continue
            tensor = found(premise, t).tensors[name_of(operation["key"], layer)]
            kinds = {looks[State(state)] for state in set(tensor.state.ravel().tolist())}
            assert "fresh" in seen
            assert seen <= kinds, "no colour that no cell has"
            if premise.holds:
                assert seen == kinds


def test_the_finding_counts_what_was_compared_and_says_what_as_before_means() -> None:
    r, data = found(Premise()), drawn(Premise())["found"]
    text = filled(data["text"], data["values"])
    assert f"{r.equal:,} of {r.compared:,} numbers" in text
    assert data["holds"] == (r.equal == r.compared)
    assert filled(data["tolerance"], data["values"]).count(small(TOLERANCE)) == 2
    assert filled(data["largest"], data["values"]).startswith("Largest difference")


def test_the_finding_of_a_changed_token_counts_the_rows_above_and_below_it() -> None:
    r, data = found(Premise(changed=3)), drawn(Premise(changed=3))["found"]
    assert not data["holds"]
    above = sum(int((t.state[..., :3, :] == State.EQUAL).sum()) for t in r.tensors.values())
    assert data["values"]["above_row"] == f"{above:,} of {above:,}"
    for operation in drawn(Premise(changed=3), layer=2)["ops"][:-1]:
        tensor = r.tensors[name_of(operation["key"], 2)]
        assert operation["meter"] is None, "nothing is saved where nothing can be reused"
        assert operation["values"] == {
            "here_equal": f"{tensor.count(State.EQUAL):,}",
            "here_compared": f"{tensor.compared:,}",
        }


def test_the_work_of_an_operation_is_that_of_the_new_row_and_of_all_rows() -> None:
    r, config = found(Premise()), load_model(MODEL).config
    meters = {op["key"]: op["meter"] for op in drawn(Premise())["ops"]}
    assert {key for key, meter in meters.items() if meter is None} == {
        "x", "norm", "weights", "mid", "ffn_norm", "post", "readout",
    }  # fmt: skip
    cached, naive = (sum(meter[i] for meter in meters.values() if meter) for i in (0, 1))
    readout = config.d_model * config.vocab_size
    assert config.n_layers * cached + readout == r.cached.multiplications
    assert config.n_layers * naive + readout == r.naive.multiplications


def test_where_the_mask_is_off_nothing_is_said_to_be_struck_out() -> None:
    spoken = {op["key"]: f"{op['focus']} {op['why']}" for op in drawn(Premise(causal=False), 0)["ops"]}
    assert "strikes out" not in spoken["scores"]
    assert "struck-out" not in spoken["weights"]
    assert "has a score with the new token" in spoken["scores"], "up to here all came out as before"


@pytest.mark.parametrize("premise", PREMISES)
def test_the_share_of_k_and_v_is_of_all_that_was_kept(premise: Premise) -> None:
    r, data = found(premise), drawn(premise)
    kv = data["reductions"][3]
    assert data["values"]["share"] == f"{r.cached.floats / r.stored.floats:.0%}"
    sentence = filled(kv["focus"], data["values"])
    assert f"{r.cached.floats:,} numbers are kept instead of {r.stored.floats:,}" in sentence
    assert "blue" not in sentence


def test_the_reductions_say_what_was_counted_and_run() -> None:
    r, data = found(Premise()), drawn(Premise())
    spoken = [filled(f"{step['focus']} {step['why']}", data["values"]) for step in data["reductions"]]
    assert f"{r.naive.multiplications:,}" in spoken[0]
    assert f"{r.stored.floats:,}" in spoken[1]
    assert "only K and V" in spoken[2]
    assert [step.get("holds") for step in data["reductions"][:4]] == [True] * 4
    assert r.stored.difference > 0, "the new row alone is another product than the whole pass"


def test_the_same_token_is_not_called_another_one() -> None:
    r = found(Premise(causal=False))
    data = drawn(Premise(causal=False))
    for key, index in (("stored", 1), ("cached", 3)):
        way, step = getattr(r, key), data["reductions"][index]
        sentence = filled(step["verdict"], step["verdict_values"])
        assert not step["holds"]
        same = way.next_token == r.naive.next_token
        assert ("both times" in sentence) == same
        assert ("Another next token" in sentence) == (not same)


def test_each_verdict_is_told_for_its_case() -> None:
    r = found(Premise())
    cases = {
        "Same next token": r.cached,
        "both times": replace(r.cached, difference=0.5),
        "Another next token": replace(r.cached, next_token=r.naive.next_token + 1, difference=0.5),
    }
    for words, way in cases.items():
        told = _verdict(replace(r, cached=way), "cached", str)
        assert words in filled(told["verdict"], told["verdict_values"])


def test_the_drawn_token_has_its_probability_at_the_temperature() -> None:
    warm = drawn(Premise(), temperature=0.8)
    assert "temperature 0.8" in " ".join(said(warm))
    assert "temperature" not in " ".join(said(drawn(Premise())))


def test_the_rail_names_every_operation_of_the_graph() -> None:
    assert ("x", *(operation.key for operation in LAYER), "readout") == KEYS


@pytest.mark.parametrize("premise", [0, -1, 3])
def test_the_charts_speak_of_the_experiment(premise: int) -> None:
    values = chart_values(load_model(MODEL).config, 7)
    texts = {
        name: filled("\n".join(chart_words(name, premise)), values)
        for name in WORDS["charts"]
        if isinstance(WORDS["charts"][name], dict)
    }
    assert ("experiment" in texts["operations"]) == (premise != 0)
    assert ("experiment" in texts["lengths"]) == (premise != 0)
    assert ("same token changed" in texts["lengths"]) == (premise > 0)
