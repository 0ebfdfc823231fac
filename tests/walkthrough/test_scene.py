"""The walkthrough's scene and its words, without a browser."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from explainer.kit.choice import EXAMPLES
from explainer.kit.words import names
from explainer.server import weights_of
from explainer.walkthrough.scene import ARITHMETIC, hidden_rows, scene, words
from explainer.walkthrough.words import WORDS, shares_of, whole_step
from kvengine import Recording, Walk, available_models, load_model, load_tokenizer
from kvengine.cost import pass_cost

CARDS = available_models()
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"


def record(name: str, prompt: str = PROMPT, *, history: int = 13, steps: int = 3) -> Recording:
    return Walk(load_model(name), load_tokenizer(name).encode(prompt), history=history).record(steps)


def drawn(recorded: Recording, name: str, layer: int, head: int, position: int = 13) -> dict[str, Any]:
    tokenizer = load_tokenizer(name)
    texts = tokenizer.texts(recorded.token_ids)
    step = scene(recorded, texts, tokenizer.token_text, layer=layer, head=head, position=position)
    return words(recorded.model.config) | step


def make(name: str, layer: int, head: int) -> tuple[dict[str, Any], Recording]:
    recorded = record(name)
    return drawn(recorded, name, layer, head), recorded


def said(data: dict[str, Any], step: int, stage: int, what: str) -> str:
    """A sentence of a stage as the browser shows it."""
    values = dict(zip(data["names"], data["steps"][step]["values"], strict=True))
    template = data["stages"][stage - 1][what]
    for part in ("contribution", "pattern"):
        template = template.replace(f"{{{part}}}", data[part][data["steps"][step][part]])
    template = re.sub(r"\[([^\]]*)\]\([#?]\w+\)", r"\1", template)
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], template)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_arithmetic_of_every_cell_gives_its_number(card: Any) -> None:
    """What the browser gets and fetches is enough to compute q, k, v, scores, weights and outputs."""
    c = card.config
    layer, head = c.n_layers - 1, c.n_heads - 1
    data, recorded = make(card.name, layer, head)
    operands = hidden_rows(recorded, layer, recorded.rows) | weights_of(recorded.model, layer)
    kv_head = head // c.group_size
    assert data["kv_head"] == kv_head
    assert set(ARITHMETIC) == {"q", "k", "v", "score", "weight", "output"}
    wq = operands["wq"][head * c.head_dim : (head + 1) * c.head_dim]
    wk, wv = (operands[w][kv_head * c.head_dim : (kv_head + 1) * c.head_dim] for w in ("wk", "wv"))

    def turned(rows: np.ndarray, positions: slice) -> np.ndarray:
        swapped = np.roll(rows, c.head_dim // 2, axis=-1)
        return rows * operands["cos"][positions] + swapped * operands["sin"][positions]

    h = operands["h"]
    np.testing.assert_allclose(turned(h @ wk.T, slice(None)), data["k"], atol=1e-4)
    np.testing.assert_allclose(h @ wv.T, data["v"], atol=1e-4)
    for i in range(len(data["steps"])):
        n = data["first"] + i
        q = data["q"][i]
        np.testing.assert_allclose(turned(h[n] @ wq.T, slice(n, n + 1))[0], q, atol=1e-4)
        scores = data["k"][: n + 1] @ q / np.sqrt(c.head_dim)
        np.testing.assert_allclose(scores, data["score"][i, : n + 1], atol=1e-4)
        weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        np.testing.assert_allclose(weights, data["weight"][i, : n + 1], atol=1e-5)
        np.testing.assert_allclose(weights @ data["v"][: n + 1], data["output"][i], atol=1e-4)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_stages_multiplications_over_heads_and_layers_are_the_engines_count(card: Any) -> None:
    """Stage 3 and 4 over all heads, and stage 1 where every head has its own K and V."""
    c = card.config
    data, _ = make(card.name, 0, 0)
    for i, step in enumerate(data["steps"]):
        n = data["first"] + i
        counts = step["meters"]
        for start, q_len, kind in ((n, 1, 0), (0, n + 1, 1)):
            cost = pass_cost(c, q_len=q_len, start=start)
            assert counts[2][kind] * c.n_heads * c.n_layers == cost.scores
            assert counts[3][kind] * c.n_heads * c.n_layers == cost.mix
            if c.group_size == 1:
                assert counts[0][kind] * c.n_heads * c.n_layers == cost.qkv
            assert step["whole"][kind] == whole_step(c, n)[kind] == cost.multiplications


def test_formulas_are_well_formed_and_name_this_tokens_index() -> None:
    data, _ = make("stories-1m-h8-kv8", 3, 0)
    for number, stage in enumerate(data["stages"], start=1):
        for formula in stage["formulas"]:
            ElementTree.fromstring(formula.replace("…", "..."))
        assert f"<mn>{{{'next' if number == 5 else 'n'}}}</mn>" in "".join(stage["formulas"])
        assert names(stage["formulas"]) <= set(data["names"])


def test_the_words_tell_of_the_token_that_is_shown() -> None:
    data, _ = make("stories-1m-h8-kv8", 3, 0)
    assert "one token: “to”" in said(data, 0, 1, "focus")
    assert "The largest weight is on “Sara”: 0.80" in said(data, 0, 4, "focus")
    assert "0 of 13,312 stored numbers changed" in said(data, 0, 2, "focus")
    rows = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", said(data, 0, 5, "without"))]
    assert rows == [15, 4, 60, 56, 4]
    assert data["steps"][0]["top"][0][0] == "Sara"
    assert data["steps"][0]["top"][0][1] == pytest.approx(0.84, abs=0.01)


def test_one_earlier_token_is_told_in_the_singular() -> None:
    name = "stories-1m-h8-kv8"
    data = drawn(record(name, "Once upon a time", history=1), name, 0, 0, position=1)
    everything = " ".join(
        said(data, 0, stage, what) for stage in range(1, 6) for what in ("focus", "why", "fresh", "read")
    )
    assert "The 1 token before it is left alone: its key and value are in the cache" in everything
    assert "The 1 row above stays as it was" in everything
    assert "1 key from the cache" in everything
    assert not re.search(r"\b1 (rows|tokens|keys|values|scores)\b", everything)


def test_the_largest_weight_is_not_taken_for_the_largest_part() -> None:
    """“(start)” has the largest weight here and makes next to nothing of the output."""
    name, layer, head = "stories-1m-h8-kv8", 3, 1
    recorded = record(name, "The sun was hot. The bird wanted to drink some", history=12, steps=4)
    data = drawn(recorded, name, layer, head, position=12)
    at = [i for i, step in enumerate(data["steps"]) if step["best"] == 0 and step["giver"] != 0]
    assert at, "the example is gone: find another"
    for i in at:
        step, n = recorded.step(data["first"] + i), data["first"] + i
        weights = step.weights[layer, head]
        shares = shares_of(weights, recorded.v[layer, head, : n + 1])
        assert shares.sum() == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(
            weights @ recorded.v[layer, head, : n + 1], step.output[layer, head], atol=1e-4
        )
        giver = data["steps"][i]["giver"]
        assert shares[giver] > 5 * shares[0]
        assert f"“{data['labels'][giver]}”" in said(data, i, 4, "why")


def test_a_head_that_looks_for_what_came_after_the_last_time_is_told() -> None:
    """A name that the model has never seen comes back, and the head looks at what followed it before."""
    name = "stories-1m-h8-kv8"
    prompt = "Kip Zola had a red ball. One day, Kip"
    assert prompt in EXAMPLES
    ids = load_tokenizer(name).encode(prompt)
    data = drawn(record(name, prompt, history=len(ids) - 1), name, 3, 0, position=len(ids) - 1)
    at, best = len(ids) - 1 - data["first"], data["steps"][0]["best"]
    assert ids[best - 1] == ids[-1]
    assert data["steps"][at]["pattern"] == "induction"
    assert "stands right after the last “ip”" in said(data, at, 3, "why")
    assert data["weight"][at, best] > 0.5
    others = [drawn(record(name), name, layer, head)["steps"][0] for layer, head in ((3, 0), (2, 4))]
    assert [step["pattern"] for step in others] == ["none", "previous"]


def test_the_map_says_where_each_head_looks() -> None:
    data, recorded = make("stories-1m-h4-kv4", 0, 0)
    for i in range(len(data["steps"])):
        step = recorded.step(data["first"] + i)
        earlier = step.weights[:, :, : step.position]
        np.testing.assert_allclose(data["looks"]["weight"][i] / 255, earlier.max(axis=-1), atol=0.003)
        np.testing.assert_array_equal(data["looks"]["at"][i], earlier.argmax(axis=-1))


def test_every_named_value_is_filled_and_no_number_is_typed() -> None:
    data, _ = make("stories-1m-h8-kv8", 3, 0)
    templates = [WORDS["stage"], WORDS["contribution"], WORDS["pattern"], WORDS["ending"]]
    assert names(templates) - {"contribution", "pattern"} <= set(data["names"])
    assert names(WORDS["proof"]) == {"numbers", "ahead"}

    def texts(part: Any) -> list[str]:
        return (
            [part]
            if isinstance(part, str)
            else [t for p in (part.values() if isinstance(part, dict) else part) for t in texts(p)]
        )

    for text in texts(WORDS):
        assert not re.search(r"\d", text.replace("[1 × ", "").replace("→ [1", "")), text
    for term in re.findall(r"\(\?(\w+)\)", " ".join(texts(WORDS))):
        assert data["terms"][term]


def test_a_scene_of_a_long_text_stays_small() -> None:
    """What is drawn is sent and no more: at the default prompt, and near the last position."""
    from explainer.kit.encode import pack

    data, _ = make("stories-1m-h8-kv8", 3, 0)
    assert len(pack(data)) < 40_000  # what is fetched but once included
    name = "stories-1m-h8-kv8"
    far = drawn(record(name, history=499, steps=6), name, 3, 0, position=499)
    assert len(pack(far)) < 160_000


def test_heads_are_told_apart_by_where_they_look() -> None:
    """“Kip” stood in the text once; what came next then is looked for by a head of the last layer."""
    name, prompt = "stories-1m-h8-kv8", "Kip Zola had a red ball. One day, Kip"
    n = len(load_tokenizer(name).encode(prompt)) - 1
    recorded = record(name, prompt, history=n, steps=2)
    looks, step = drawn(recorded, name, 3, 0, position=n)["looks"], recorded.step(n)
    before, first, induced, answer = looks["targets"][0]
    assert (before, first) == (n - 1, 0)
    assert recorded.token_ids[induced - 1] == recorded.token_ids[n]
    assert answer == 65_535 or recorded.token_ids[answer] == step.next_token
    wanted = looks["wanted"][0]
    assert np.abs(wanted[2] / 255 - step.weights[:, :, induced]).max() < 0.003
    assert np.unravel_index(int(wanted[2].argmax()), wanted[2].shape)[0] == 3
