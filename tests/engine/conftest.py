from collections.abc import Iterator

import pytest
import torch

from kvengine import Tokenizer, Transformer, load_model, load_tokenizer


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small are done before a second thread has woken up; two take many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def story_model() -> Transformer:
    """The model that the pages open with."""
    return load_model("stories-1m-h8-kv8")


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return load_tokenizer("stories-1m-h8-kv8")
