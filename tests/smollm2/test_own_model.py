"""Pages with a model that the operator has put beside those that ship."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from transformers import Qwen3Config, Qwen3ForCausalLM

from explainer.kit import cache
from explainer.pages import PAGES
from kvengine.weights import CHECKPOINTS


@pytest.fixture
def own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A small Qwen 3 with random weights in several files of bfloat16, as `make run MODEL=` takes it."""
    torch.manual_seed(0)
    vocabulary = cache.tokenizer(cache.cards()[0].name).vocab_size
    numbers = {"hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 6}
    config = Qwen3Config(
        vocab_size=vocabulary, num_key_value_heads=2, head_dim=20, tie_word_embeddings=False, **numbers
    )
    directory = tmp_path / "my-model"
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(directory, max_shard_size="60KB")
    shutil.copy(CHECKPOINTS / "tokenizer.json", directory)
    monkeypatch.setenv("KVENGINE_MODEL", str(directory))
    cache.further.clear()
    yield "my-model"
    cache.further.clear()


def test_every_page_opens_with_a_model_of_the_operators_own_that_has_fewer_layers(
    open_page: Callable[..., AppTest], own_model: str
) -> None:
    for page in PAGES:
        app = open_page(page.file, model=own_model, prompt="Tom gave the ball to")
        assert not app.exception, page.file
        assert not app.error, page.file
        assert not app.warning, page.file
        assert app.session_state["choice"].common.model == own_model
        assert app.session_state["choice"].common.layer == 1, page.file
