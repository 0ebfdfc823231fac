"""What cannot be run is refused with the error that is documented, the file at fault, and a remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from kvengine import (
    CheckpointError,
    Config,
    ContextLengthError,
    KVCache,
    KVEngineError,
    PromptError,
    available_models,
    load_model,
    load_tokenizer,
)
from kvengine.weights import CHECKPOINTS
from tests.engine.reference import TINY, random_ids, tiny_model

NAME = "stories-1m-h8-kv4"
REMEDY = r"copy (it again|the model's complete directory|both files from the same model)"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A complete model directory to damage."""
    directory = tmp_path / "my-model"
    shutil.copytree(CHECKPOINTS / NAME, directory)
    shutil.copy(CHECKPOINTS / "tokenizer.json", directory)
    load_model(directory)
    load_tokenizer(directory)
    return directory


def change_config(directory: Path, **changes: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_weights(directory: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(checkpoint: Path, file: str) -> None:
    (checkpoint / file).unlink()
    load = load_tokenizer if file == "tokenizer.json" else load_model
    with pytest.raises(CheckpointError, match=rf"my-model has no {file}; {REMEDY}"):
        load(checkpoint)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("part", [0.0, 0.0005, 0.5, 0.9999])
def test_a_file_cut_short_is_named(checkpoint: Path, file: str, part: float) -> None:
    path = checkpoint / file
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    load = load_tokenizer if file == "tokenizer.json" else load_model
    with pytest.raises(CheckpointError, match=rf"(?s)my-model/{file} .*{REMEDY}"):
        load(checkpoint)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe\x00garbage" * 50, b"[]", b"null", b"3", b'"text"', b"{}", b"\0" * 64]
)
def test_a_garbled_file_is_named(checkpoint: Path, file: str, garbage: bytes) -> None:
    (checkpoint / file).write_bytes(garbage)
    load = load_tokenizer if file == "tokenizer.json" else load_model
    with pytest.raises(CheckpointError, match=rf"(?s)my-model/{file} "):
        load(checkpoint)


def test_a_directory_in_place_of_a_file_is_no_traceback(checkpoint: Path) -> None:
    for file, load in (
        ("config.json", load_model),
        ("model.safetensors", load_model),
        ("tokenizer.json", load_tokenizer),
    ):
        path = checkpoint / file
        data = path.read_bytes()
        path.unlink()
        path.mkdir()
        with pytest.raises(CheckpointError, match=file):
            load(checkpoint)
        path.rmdir()
        path.write_bytes(data)


@pytest.mark.parametrize(
    "key",
    [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        "rms_norm_eps",
    ],
)
def test_a_config_that_lacks_a_number_says_which(checkpoint: Path, key: str) -> None:
    raw = json.loads((checkpoint / "config.json").read_text())
    del raw[key]
    (checkpoint / "config.json").write_text(json.dumps(raw))
    with pytest.raises(CheckpointError, match=rf"my-model/config.json lacks '{key}'; {REMEDY}"):
        load_model(checkpoint)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "gpt2"}, "model_type = 'gpt2'"),
        ({"hidden_act": "gelu"}, "hidden_act = 'gelu'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False"),
        ({"attention_bias": True}, "attention_bias = True"),
        ({"mlp_bias": True}, "mlp_bias = True"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_scaling = "),
        (
            {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}},
            "rope_parameters = .*llama3",
        ),
        ({"rope_parameters": 7}, "rope_parameters = 7"),
    ],
)
def test_another_architecture_is_refused_rather_than_computed_wrongly(
    checkpoint: Path, changes: dict[str, Any], told: str
) -> None:
    change_config(checkpoint, **changes)
    with pytest.raises(CheckpointError, match=rf"my-model/config.json has {told}.*choose a Llama model"):
        load_model(checkpoint)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_attention_heads": 0}, "n_heads is 0; it must be at least 1"),
        ({"num_hidden_layers": -1}, "n_layers is -1; it must be at least 1"),
        ({"num_key_value_heads": 3}, "8 query heads cannot share 3 KV heads"),
        ({"num_key_value_heads": 16}, "8 query heads cannot share 16 KV heads"),
        ({"head_dim": 15}, "head_dim is 15.*must be even"),
        ({"rope_theta": 0}, "rope_theta 0.0; both must be finite"),
        ({"rms_norm_eps": -1}, "norm_eps is -1.0"),
        ({"vocab_size": "many"}, "holds a number that is none"),
        ({"hidden_size": None}, "holds a number that is none"),
        ({"hidden_size": float("inf")}, "holds a number that is none"),
    ],
)
def test_numbers_that_make_no_model_are_refused(checkpoint: Path, changes: dict[str, Any], told: str) -> None:
    change_config(checkpoint, **changes)
    with pytest.raises(CheckpointError, match=rf"my-model/config.json .*{told}"):
        load_model(checkpoint)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["rope_parameters", *json.loads((CHECKPOINTS / NAME / "config.json").read_text())]


@given(st.dictionaries(st.sampled_from(KEYS), JSON, min_size=1, max_size=3))
def test_whatever_stands_in_a_config_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("model")
    shutil.copy(CHECKPOINTS / NAME / "config.json", directory)
    change_config(directory, **changes)
    try:
        Config.from_hf(directory / "config.json")
    except CheckpointError as error:
        told = str(error)
    else:
        told = "nothing: it was read"
    assert told.startswith((f"{directory.name}/config.json", "nothing"))


def test_a_missing_tensor_is_named(checkpoint: Path) -> None:
    name = "model.layers.2.self_attn.k_proj.weight"
    change_weights(checkpoint, lambda tensors: tensors.pop(name))
    with pytest.raises(
        CheckpointError, match=rf"my-model/model.safetensors lacks the tensor {name}; {REMEDY}"
    ):
        load_model(checkpoint)


@pytest.mark.parametrize(
    ("changes", "tensor", "stored", "asked"),
    [
        ({"num_key_value_heads": 2}, "k_proj", r"\[64, 128\]", r"\[32, 128\]"),
        ({"vocab_size": 2000}, "embed_tokens", r"\[2048, 128\]", r"\[2000, 128\]"),
        ({"intermediate_size": 350}, "gate_proj", r"\[352, 128\]", r"\[350, 128\]"),
        ({"hidden_size": 64}, "embed_tokens", r"\[2048, 128\]", r"\[2048, 64\]"),
    ],
)
def test_a_tensor_of_another_shape_is_named(
    checkpoint: Path, changes: dict[str, Any], tensor: str, stored: str, asked: str
) -> None:
    change_config(checkpoint, **changes)
    told = rf"model.safetensors: \S*{tensor}\S* has shape {stored}.*config.json asks for {asked}; {REMEDY}"
    with pytest.raises(CheckpointError, match=told):
        load_model(checkpoint)


@pytest.mark.parametrize("name", ["no-such-model", "a" * 10_000, "nul\0byte", "../elsewhere", "日本"])
def test_a_model_that_is_not_there_is_told_with_those_that_are(name: str) -> None:
    for load in (load_model, load_tokenizer):
        with pytest.raises(CheckpointError, match=r"There is no model .*stories-1m-h8-kv8") as caught:
            load(name)
        assert len(str(caught.value)) < 500


def test_a_model_directory_of_ones_own_may_share_a_tokenizer(checkpoint: Path) -> None:
    shutil.move(checkpoint / "tokenizer.json", checkpoint.parent)
    assert load_tokenizer(checkpoint).vocab_size == 2048


def test_broken_models_are_not_listed_and_the_others_are(tmp_path: Path) -> None:
    for name in ("good", "no-config", "no-card", "odd-card", "list-card"):
        shutil.copytree(CHECKPOINTS / NAME, tmp_path / name)
    (tmp_path / "no-config" / "config.json").unlink()
    (tmp_path / "no-card" / "card.json").unlink()
    (tmp_path / "odd-card" / "card.json").write_text("{}")
    (tmp_path / "list-card" / "card.json").write_text("[1]")
    (tmp_path / "a-file").write_text("")
    assert [card.name for card in available_models(tmp_path)] == ["good"]


def test_a_directory_of_models_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no directory of models at .*KVENGINE_CHECKPOINTS"):
        available_models(tmp_path / "nowhere")


def test_no_tokens_at_all_are_refused() -> None:
    with pytest.raises(PromptError, match="at least one"):
        tiny_model()(torch.zeros(1, 0, dtype=torch.long))


def test_text_past_the_context_is_refused_with_both_lengths() -> None:
    model, longest = tiny_model(), TINY.max_seq_len
    token_ids = random_ids(TINY.vocab_size, longest + 1)
    model(token_ids[:, :longest])
    with pytest.raises(ContextLengthError, match=r"48 positions.*reach 49; shorten"):
        model(token_ids)
    cache = KVCache(TINY, max_seq_len=longest + 10, dtype=model.dtype)
    model(token_ids[:, :longest], cache)
    with pytest.raises(ContextLengthError, match=r"48 positions.*reach 49; shorten"):
        model(token_ids[:, :1], cache)


def test_text_past_the_cache_is_refused_with_both_lengths() -> None:
    model = tiny_model()
    cache = KVCache(TINY, max_seq_len=4, dtype=model.dtype)
    model(random_ids(TINY.vocab_size, 4), cache)
    with pytest.raises(ContextLengthError, match=r"room for 4 tokens, and 5 .*larger cache"):
        model(random_ids(TINY.vocab_size, 1), cache)


def test_every_refusal_is_an_error_of_the_engine() -> None:
    for error in (CheckpointError, ContextLengthError, PromptError):
        assert issubclass(error, KVEngineError)
