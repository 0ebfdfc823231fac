"""The walkthrough's scene and story, without a browser."""

import base64
import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from explainer.scenes.encode import f32, token_label
from explainer.scenes.walkthrough import ARITHMETIC, scene
from explainer.story.walkthrough import prompt_notes, whole_step
from kvengine import Walk, available_models, load_model, load_tokenizer
from kvengine.cost import pass_cost

CARDS = available_models()
PROMPT = "Tom and Sara went to the park. Tom gave the ball to"


def decoded(array: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array["b64"]), "<f4").reshape(array["shape"])


def make(name: str, layer: int, head: int) -> tuple[dict[str, Any], Walk]:
    tokenizer = load_tokenizer(name)
    ids = tokenizer.encode(PROMPT)
    walk = Walk(load_model(name), ids, history=13)
    walk.extend(3)
    data = scene(
        walk, tokenizer.token_text, layer=layer, head=head, walk_id="w", history=13, prompt_length=len(ids)
    )
    return data, walk


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_arithmetic_of_every_cell_gives_its_number(card: Any) -> None:
    """What the browser gets is enough to compute q, k, v, scores, weights and outputs."""
    c = card.config
    layer, head = c.n_layers - 1, c.n_heads - 1
    data, _ = make(card.name, layer, head)
    array = {name: decoded(value) for name, value in data["arrays"].items()}
    assert data["kv_head"] == head // c.group_size
    assert set(ARITHMETIC) == {"q", "k", "v", "score", "weight", "output"}

    def turned(rows: np.ndarray, positions: slice) -> np.ndarray:
        swapped = np.roll(rows, c.head_dim // 2, axis=-1)
        return rows * array["cos"][positions] + swapped * array["sin"][positions]

    everything = slice(None)
    np.testing.assert_allclose(turned(array["h"] @ array["wk"].T, everything), array["k"], atol=1e-4)
    np.testing.assert_allclose(array["h"] @ array["wv"].T, array["v"], atol=1e-4)
    for step in data["steps"]:
        n = step["position"]
        q = decoded(step["q"])
        np.testing.assert_allclose(turned(array["h"][n] @ array["wq"].T, slice(n, n + 1))[0], q, atol=1e-4)
        scores = array["k"][: n + 1] @ q / np.sqrt(c.head_dim)
        np.testing.assert_allclose(scores, decoded(step["score"]), atol=1e-4)
        weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
        np.testing.assert_allclose(weights, decoded(step["weight"]), atol=1e-5)
        np.testing.assert_allclose(weights @ array["v"][: n + 1], decoded(step["output"]), atol=1e-4)


def test_the_scene_is_json_and_its_floats_are_exact() -> None:
    data, walk = make("stories-1m-h8-kv2", 2, 5)
    again = json.loads(json.dumps(data))
    np.testing.assert_array_equal(decoded(again["arrays"]["k"]), walk.k[2, 1])
    odd = np.array([np.pi, -0.0, 1e-38, 3e38], dtype=np.float32)
    np.testing.assert_array_equal(decoded(f32(odd)), odd)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_stages_multiplications_over_heads_and_layers_are_the_engines_count(card: Any) -> None:
    """Stage 3 and 4 over all heads, and stage 1 where every head has its own K and V."""
    c = card.config
    data, _ = make(card.name, 0, 0)
    for step in data["steps"]:
        n = step["position"]
        counts = [stage["meter"] for stage in step["stages"]]
        for start, q_len, kind in ((n, 1, "cached"), (0, n + 1, "naive")):
            cost = pass_cost(c, q_len=q_len, start=start)
            assert counts[2][kind] * c.n_heads * c.n_layers == cost.scores
            assert counts[3][kind] * c.n_heads * c.n_layers == cost.mix
            if c.group_size == 1:
                assert counts[0][kind] * c.n_heads * c.n_layers == cost.qkv
        assert step["whole_step"]["naive"] == whole_step(c, n).naive


def test_formulas_are_well_formed_and_name_this_tokens_index() -> None:
    data, _ = make("stories-1m-h8-kv8", 3, 0)
    for step in data["steps"]:
        for number, stage in enumerate(step["stages"], start=1):
            for formula in stage["formulas"]:
                ElementTree.fromstring(formula.replace("…", "..."))
            index = step["position"] + (1 if number == 5 else 0)
            assert f"<mn>{index}</mn>" in "".join(stage["formulas"])


def test_the_story_tells_of_the_token_that_is_shown() -> None:
    data, _ = make("stories-1m-h8-kv8", 3, 0)
    first = data["steps"][0]
    assert "“to”" in first["stages"][0]["focus"]
    assert "“Sara” gives the most: 0.80" in first["stages"][3]["focus"]
    assert "0 of 13,312 earlier numbers changed" in first["stages"][1]["focus"]
    rows = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", first["without_cache"])]
    assert rows == [15, 4, 60, 56, 4]
    assert first["top"][0][0] == "Sara"
    assert first["top"][0][1] == pytest.approx(0.84, abs=0.01)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_question_has_its_answer_among_different_options(card: Any) -> None:
    data, _ = make(card.name, 1, 0)
    for step in data["steps"]:
        n = step["position"]
        right = [stage["question"]["options"][stage["question"]["answer"]] for stage in step["stages"]]
        assert right[0] == "1"
        assert right[1] == "0"
        assert right[2] == str(n + 1)
        assert right[3] == data["labels"][int(decoded(step["weight"]).argmax())]
        assert right[4] == "1"
        for stage in step["stages"]:
            assert len(set(stage["question"]["options"])) == len(stage["question"]["options"]) >= 2


def test_labels_make_every_token_visible() -> None:
    tokenizer = load_tokenizer("stories-1m-h8-kv8")
    assert all(token_label(tokenizer.token_text(i)).strip() for i in range(tokenizer.vocab_size))
    assert token_label(" Sara") == "Sara"
    assert token_label("\n") == "⏎"
    assert tokenizer.token_text(tokenizer.encode("🙂")[1]) == "<0xF0>"


def test_prompts_that_are_not_taken_as_they_are_get_a_sentence() -> None:
    config = CARDS[0].config
    assert prompt_notes(config, prompt_tokens=14, history=13) == []
    assert "empty" in prompt_notes(config, prompt_tokens=1, history=1)[0]
    assert "3,000 tokens" in prompt_notes(config, prompt_tokens=3000, history=256)[0]
