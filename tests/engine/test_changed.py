"""Which rows of K and V change: with the mask none before an edit, without it all above the first layer."""

import pytest

from kvengine import Tokenizer, Transformer
from kvengine.changed import ChangedRows, changed_rows
from kvengine.experiments import Premise, recompute


@pytest.fixture(scope="module")
def ids(tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode("Tom and Sara went to the park. Tom gave the ball to")


def rows(model: Transformer, ids: list[int], premise: Premise) -> ChangedRows:
    return changed_rows(recompute(model, ids, premise, operations="kv", ways=False))


def test_a_new_token_changes_no_row_with_the_mask(story_model: Transformer, ids: list[int]) -> None:
    assert not rows(story_model, ids, Premise()).different.any()


def test_without_the_mask_it_changes_every_row_above_the_first_layer(
    story_model: Transformer, ids: list[int]
) -> None:
    different = rows(story_model, ids, Premise(causal=False)).different
    assert not different[0].any()
    assert different[1:].all()


def test_an_edit_changes_its_own_row_and_above_the_first_layer_later_ones(
    story_model: Transformer, ids: list[int]
) -> None:
    found = rows(story_model, ids, Premise(changed=3))
    config = story_model.config
    assert found.different.shape == (config.n_layers, len(ids) - 1)
    assert not found.different[:, :3].any()
    assert found.different[0].nonzero()[0].tolist() == [3]
    assert found.different[1:, 3:].all()
    assert found.numbers == config.n_kv_heads * config.head_dim
    assert found.k_largest[0, 3] > 1 > found.k_largest[0, :3].max() == 0
