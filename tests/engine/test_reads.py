"""Reads counted in a run: a query once, keys and values in every turn from their own on."""

import numpy as np
import pytest

from kvengine import PromptError, Tokenizer, Transformer
from kvengine.reads import count_reads


def test_a_query_is_read_once_keys_and_values_in_every_later_turn(
    story_model: Transformer, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode("Tom gave the ball to Sara")
    reads = count_reads(story_model, ids)
    n = len(ids)
    assert reads.heads == story_model.config.n_layers * story_model.config.n_heads
    np.testing.assert_array_equal(reads.q, reads.heads * np.eye(n, dtype=int))
    for rows in (reads.k, reads.v):
        np.testing.assert_array_equal(rows, reads.heads * np.triu(np.ones((n, n), dtype=int)))
    assert reads.readers("q", 2) == (2,)
    assert reads.readers("k", 2) == tuple(range(2, n))


def test_no_token_is_refused(story_model: Transformer) -> None:
    with pytest.raises(PromptError):
        count_reads(story_model, [])
