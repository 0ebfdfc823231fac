"""A made-up name is spelled from the cache, by a head that is found by what it does."""

import numpy as np
import pytest
import torch

from kvengine import ContextLengthError, PromptError, Tokenizer, load_model, load_tokenizer
from kvengine.induction import Induction, spell

STORY = "There was a girl named {name}. One day,"


def spelled(model: str, name: str) -> Induction:
    tokenizer: Tokenizer = load_tokenizer(model)
    story = tokenizer.encode(STORY.format(name=name))
    whole = tokenizer.encode(f"{STORY.format(name=name)} {name}")
    return spell(load_model(model), story, whole[len(story) :])


@pytest.mark.parametrize("model", ["stories-1m-h8-kv8", "stories-1m-h4-kv4", "stories-1m-h8-kv1"])
@pytest.mark.parametrize("name", ["Wenko", "Trixo"])
def test_the_name_is_lost_with_its_stored_row(model: str, name: str) -> None:
    found = spelled(model, name)
    layer, head = found.head
    assert found.scores[layer, head] == found.scores.max() > 0.5
    most = max(found.pieces, key=lambda piece: piece.probability - piece.without)
    assert most.best == most.token_id != most.best_without
    assert most.probability > 0.9
    assert most.without < 0.1


def test_the_target_is_what_came_after_the_last_occurrence() -> None:
    found = spelled("stories-1m-h8-kv8", "Wenko")
    ids = found.token_ids
    for piece in found.pieces:
        assert ids[piece.target - 1] == ids[piece.position]
        assert ids[piece.target] == piece.token_id == ids[piece.position + 1]
        np.testing.assert_allclose(piece.weights.sum(axis=-1), 1, atol=1e-5)


def test_the_probability_is_that_of_a_pass_without_a_cache() -> None:
    model, found = load_model("stories-1m-h8-kv8"), spelled("stories-1m-h8-kv8", "Wenko")
    logits = model(torch.tensor([list(found.token_ids[:-1])]))[0]
    for piece in found.pieces:
        chance = logits[piece.position].softmax(-1)[piece.token_id]
        assert piece.probability == pytest.approx(float(chance), abs=1e-4)


def test_what_cannot_be_spelled_is_refused() -> None:
    model, tokenizer = load_model("stories-1m-h8-kv8"), load_tokenizer("stories-1m-h8-kv8")
    with pytest.raises(PromptError, match="single token"):
        spelled("stories-1m-h8-kv8", "Tom")
    with pytest.raises(PromptError, match="does not hold"):
        spell(model, tokenizer.encode("A story."), tokenizer.encode(" Wenko")[1:])
    with pytest.raises(ContextLengthError):
        spell(model, [1] * 511, [1, 1])
