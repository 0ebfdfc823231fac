"""The questions before each stage: right by the engine, wrong where they say so, explained by its numbers."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from explainer.kit.choice import EXAMPLES
from explainer.kit.encode import token_label
from explainer.kit.words import names
from explainer.walkthrough.scene import scene
from explainer.walkthrough.words import WORDS, shares_of
from kvengine import KVCache, Recording, Walk, load_model, load_tokenizer, trace
from kvengine.cost import pass_cost

CARDS = ("stories-1m-h1-kv1", "stories-1m-h4-kv4", "stories-1m-h8-kv8")
ONE_TOKEN = "Once"
RUNS = [(name, EXAMPLES[0], 3, 0) for name in CARDS] + [
    ("stories-1m-h8-kv8", EXAMPLES[1], 3, 1),
    ("stories-1m-h8-kv8", EXAMPLES[2], 1, 5),
    ("stories-1m-h8-kv2", "The cat sat. The cat sat. The cat", 2, 4),
    ("stories-1m-h8-kv8", "{n} {x} \n <b>", 0, 0),
    ("stories-1m-h8-kv8", ONE_TOKEN, 1, 0),
]


@cache
def run(name: str, prompt: str, layer: int, head: int) -> tuple[dict[str, Any], Recording, list[str]]:
    tokenizer = load_tokenizer(name)
    ids = tokenizer.encode(prompt)
    recorded = Walk(load_model(name), ids, history=len(ids) - 1).record(6)
    texts = tokenizer.texts(recorded.token_ids)
    drawn = scene(recorded, texts, tokenizer.token_text, layer=layer, head=head, position=len(ids) - 1)
    return drawn, recorded, [token_label(text) for text in texts]


def posed(data: dict[str, Any], step: int) -> list[tuple[str, str, str, dict[str, str]]]:
    """Of each stage: kind, the question, the right option, and by option what is said of it."""
    found = []
    for asked in data["steps"][step]["asked"]:
        told = WORDS["question"][asked["kind"]]
        values = dict(zip(data["names"], data["steps"][step]["values"], strict=True)) | asked["values"]
        options = {text: fill(told["why"][why], values | more) for why, text, more in asked["options"]}
        assert 2 <= len(options) == len(asked["options"]) <= 4, "no two options say the same"
        right = asked["options"][asked["answer"]][1]
        found.append((asked["kind"], fill(told["text"], values), right, options))
    return found


def fill(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


def numbers(text: str) -> list[float]:
    return [
        float(found.replace(",", "").replace("−", "-")) for found in re.findall(r"−?\d[\d,]*\.?\d*", text)
    ]


@cache
def rows_of_a_step(name: str, prompt: str) -> int:
    """Rows of K that one layer computes in a step with a cache."""
    model, ids = load_model(name), torch.tensor([load_tokenizer(name).encode(prompt)])
    kv = KVCache(model.config)
    trace(model, ids[:, :-1], kv)
    rows: int = trace(model, ids[:, -1:], kv)["layers.0.attn.k"].shape[2]
    return rows


@pytest.mark.parametrize("at", RUNS, ids=lambda at: f"{at[0]} {at[1][:12]} {at[2]}.{at[3]}")
def test_the_right_answer_is_the_engines_and_no_other_is(at: tuple[str, str, int, int]) -> None:
    _, _, layer, head = at
    data, recorded, labels = run(*at)
    config, kv_head = recorded.model.config, head // recorded.model.config.group_size
    for i in range(len(data["steps"]) - 1):
        n = data["first"] + i
        step = recorded.step(n)
        weights, scores = step.weights[layer, head], step.scores[layer, head]
        shares = shares_of(weights, recorded.v[layer, kv_head, : n + 1])
        largest = {"match": scores, "heaviest": weights, "giver": shares}
        for kind, question, right, options in posed(data, i):
            wrong = options.keys() - {right}
            assert all(options.values()), "each option is explained"
            if kind in ("tokens", "rows"):
                assert numbers(right) == [rows_of_a_step(*at[:2])]
                assert all(numbers(option) != [rows_of_a_step(*at[:2])] for option in wrong)
            elif kind == "changed":
                assert (numbers(right), step.proof.changed) == ([0], 0)
                assert all(numbers(option) != [0] for option in wrong)
            elif kind == "stored":
                assert right == "k and v"
                assert numbers(options[right]) == [2 * config.head_dim]
            elif kind == "keys":
                assert numbers(right) == [len(scores)]
                assert all(numbers(option) != [len(scores)] for option in wrong)
            elif kind in largest:
                sizes = largest[kind]
                assert right == f"“{labels[int(sizes.argmax())]}”"
                best = {
                    f"“{label}”": max(sizes[i] for i in range(n + 1) if labels[i] == label)
                    for label in labels[: n + 1]
                }
                assert all(best[option] < sizes.max() for option in wrong)
                assert (
                    list(options)
                    == sorted(
                        options, key=lambda option: max(i for i in range(n + 1) if f"“{labels[i]}”" == option)
                    )
                    or len(set(labels[: n + 1])) < n + 1
                )
            elif kind == "weight":
                assert int(right[:-1]) == round(100 * weights.max())
                assert all(abs(int(option[:-1]) - 100 * weights.max()) >= 14 for option in wrong)
                assert f"“{labels[int(weights.argmax())]}” has the highest score" in question
            elif kind == "length":
                qkv = [pass_cost(config, q_len=1, start=start) for start in (n, n // 2)]
                assert qkv[0].qkv == qkv[1].qkv
                assert numbers(right) == numbers(question)[:1] == [3 * config.d_model * config.head_dim]
            else:
                assert kind == "naive"
                cached, naive = (
                    pass_cost(config, q_len=rows, start=start).multiplications
                    for rows, start in ((1, n + 1), (n + 2, 0))
                )
                assert numbers(right) == [round(naive / cached)]
                assert all(not 0.6 < numbers(option)[0] * cached / naive < 1.7 for option in wrong)
                for told in options.values():
                    assert f"{cached:,}" in told or told == options[right]


@pytest.mark.parametrize("at", RUNS[2:], ids=lambda at: at[1][:12])
def test_what_is_said_of_a_token_is_its_own_number(at: tuple[str, str, int, int]) -> None:
    data, recorded, labels = run(*at)
    _, _, layer, head = at
    for i in range(len(data["steps"]) - 1):
        n = data["first"] + i
        step = recorded.step(n)
        sizes = {"match": step.scores[layer, head], "heaviest": step.weights[layer, head]}
        for kind, _, right, options in posed(data, i):
            if kind not in sizes:
                continue
            for option, told in options.items():
                of = [sizes[kind][j] for j in range(n + 1) if f"“{labels[j]}”" == option]
                said = numbers(re.sub("“[^”]*”", "", told))[0]
                assert np.isclose(said, max(of), atol=0.06 if kind == "match" else 0.006)
                assert ("highest" in told) == (option == right) or kind == "heaviest"


def test_both_questions_of_each_stage_come_up_and_all_are_filled() -> None:
    seen = {kind for at in RUNS for i in range(5) for kind, *_ in posed(run(*at)[0], i)}
    assert seen == set(WORDS["question"])
    for told in WORDS["question"].values():
        assert names(told)


def test_a_text_of_two_tokens_has_no_option_twice() -> None:
    data, _, _ = run(*RUNS[-1])
    kinds = {kind: options for kind, _, _, options in posed(data, 0)}
    assert list(kinds["tokens"]) == ["1 token", "2 tokens"]
    assert list(kinds["changed"]) == ["0 rows", "1 row"]
