"""The questions of the avoided work: right by what was run, wrong where they say so, explained by numbers."""

import re
from itertools import product
from typing import Any

import pytest

from explainer.avoided_work.words import KEYS, WORDS
from explainer.kit.words import names
from kvengine import load_model
from kvengine.compare import State
from kvengine.cost import pass_cost
from kvengine.experiments import Premise
from tests.avoided_work.samples import MODEL, PREMISES, drawn, found

LENGTHS = (2, 7)


def posed(data: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, str]]]:
    """By what they come before: the question, the right option, and what is said of each."""
    entries = {entry.get("key", entry.get("mode")): entry for entry in [*data["ops"], *data["reductions"]]}
    found = {}
    for key, asked in data["asked"].items():
        if asked is None:
            continue
        told = WORDS["question"][asked["kind"]]
        values = data["values"] | entries[key].get("values", {}) | asked["values"]
        options = {text: fill(told["why"][why], values | more) for why, text, more in asked["options"]}
        assert 2 <= len(options) == len(asked["options"]) <= 5
        found[key] = (fill(told["text"], values), asked["options"][asked["answer"]][1], options)
    return found


def fill(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def numbers(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


@pytest.mark.parametrize(
    ("premise", "t"), [(p, t) for p, t in product(PREMISES, LENGTHS) if (p.changed or 0) < t]
)
@pytest.mark.parametrize("layer", [0, 3])
def test_the_right_answer_is_what_was_found_and_no_other_is(premise: Premise, t: int, layer: int) -> None:
    r, data = found(premise, t), drawn(premise, layer, t)
    asked = posed(data)
    rows = r.tensors[f"layers.{layer}.attn_norm"].state
    truth = {
        "norm": sum(bool((row == State.EQUAL).all()) for row in rows),
        "q": 0 if "q" not in r.read else t,
        "scores": 0 if premise.causal else t,
        "readout": 1,
        "again": round(r.naive.multiplications / r.cached.multiplications),
    }
    for key, right in truth.items():
        assert numbers(asked[key][1]) == [right]
        assert all(numbers(option) != [right] for option in asked[key][2] if option != asked[key][1])
    assert asked["read"][1] == data["values"]["read"] == "K and V"
    assert asked["kv"][1] == data["values"]["share"]
    share = r.cached.floats / r.stored.floats
    assert all(abs(int(o[:-1]) / 100 - share) > 0.1 for o in asked["kv"][2] if o != asked["kv"][1])
    assert all(all(options.values()) for _, _, options in asked.values())


@pytest.mark.parametrize("t", LENGTHS)
def test_the_operation_that_repeats_most_is_the_one_of_the_engines_count(t: int) -> None:
    _, right, options = posed(drawn(Premise(), 1, t))["hidden"]
    config = load_model(MODEL).config
    naive, cached = pass_cost(config, q_len=t + 1), pass_cost(config, q_len=1, start=t)
    repeated = {
        "scores": naive.scores - cached.scores,
        "join": naive.wo - cached.wo,
    }
    for option, told in options.items():
        assert option in {WORDS["operation"][key]["rail"] for key in KEYS}
        if option in repeated:
            assert numbers(told)[0] * config.n_layers == repeated[option]
    said = {option: numbers(told)[0] for option, told in options.items()}
    assert max(said, key=said.__getitem__) == right
    assert all(numbers(told)[-1] == said[right] for told in options.values())


def test_where_an_experiment_leaves_nothing_to_save_nobody_is_asked_what_is_repeated() -> None:
    assert posed(drawn(Premise())).keys() - posed(drawn(Premise(changed=3))).keys() == {"hidden"}


def test_all_questions_come_up_and_name_the_runs_numbers() -> None:
    kinds = {asked["kind"] for p in PREMISES for asked in drawn(p)["asked"].values() if asked}
    assert kinds == set(WORDS["question"])
    assert all(names(told) for told in WORDS["question"].values())


def test_what_is_wrong_with_an_answer_is_true_of_the_experiment() -> None:
    unmasked = posed(drawn(Premise(causal=False), 0))
    assert "mask is off" in unmasked["scores"][0]
    assert all("strikes out each" not in told for told in unmasked["scores"][2].values())
    masked = int((found(Premise()).tensors["layers.1.attn.masked"].state[0] == State.MASKED).sum())
    holds = posed(drawn(Premise()))["scores"]
    assert numbers(holds[2]["0 rows"])[0] == masked
