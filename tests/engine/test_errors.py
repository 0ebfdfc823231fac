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
from transformers import LlamaConfig

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
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
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


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_file_that_is_nested_too_deeply_is_named(checkpoint: Path, file: str) -> None:
    (checkpoint / file).write_text(DEEP)
    load = load_tokenizer if file == "tokenizer.json" else load_model
    with pytest.raises(CheckpointError, match=rf"(?s)my-model/{file} .*; copy it again"):
        load(checkpoint)


def test_no_sentence_tells_where_the_model_lies(checkpoint: Path) -> None:
    for file, load in (("config.json", load_model), ("model.safetensors", load_model)):
        (checkpoint / file).unlink()
        (checkpoint / file).mkdir()
        with pytest.raises(CheckpointError) as caught:
            load(checkpoint)
        assert str(checkpoint.parent) not in str(caught.value)
        shutil.rmtree(checkpoint / file)
        shutil.copy(CHECKPOINTS / NAME / file, checkpoint)
    with pytest.raises(CheckpointError) as caught:
        load_model(checkpoint / "no-such-model")
    assert str(checkpoint.parent) not in str(caught.value)


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
        ({"model_type": ["llama"]}, "model_type = "),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings = 'yes'"),
        ({"attention_bias": True}, "attention_bias = True"),
        ({"mlp_bias": True}, "mlp_bias = True"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "rope_scaling = "),
        (
            {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}},
            "rope_parameters = .*llama3",
        ),
        ({"rope_parameters": 7}, "rope_parameters = 7"),
        # The key of earlier versions, in the group of newer ones.
        (
            {"rope_parameters": {"type": "linear", "rope_theta": 1e4, "factor": 2.0}},
            "rope_parameters = .*linear",
        ),
        ({"rope_parameters": {"rope_type": "default", "type": "yarn"}}, "rope_parameters = .*yarn"),
        ({"rope_parameters": {"rope_type": "default", "attention_factor": 2}}, "rope_parameters = "),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "rope_parameters = "),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling = .*dynamic"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
        ({"is_causal": False}, "is_causal = False"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config = .*fp8"),
        ({"sliding_window": 128}, "sliding_window = 128"),
        ({"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 9}, "use_sliding_window"),
        (
            {"model_type": "mistral", "sliding_window": 9, "layer_types": ["full_attention"] * 4},
            "layer_types",
        ),
        ({"layer_types": 7}, "layer_types = 7"),
        ({"pretraining_tp": 2}, "pretraining_tp = 2"),
    ],
)
def test_another_architecture_is_refused_rather_than_computed_wrongly(
    checkpoint: Path, changes: dict[str, Any], told: str
) -> None:
    change_config(checkpoint, **changes)
    with pytest.raises(
        CheckpointError, match=rf"my-model/config.json has {told}.*; choose an unquantized model"
    ):
        load_model(checkpoint)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"attention_multiplier": 2.0}, "'attention_multiplier' = 2.0"),
        ({"logit_scale": 0.25, "use_cache": True}, "'logit_scale' = 0.25"),
        ({"x" * 10_000: "y" * 10_000}, "'xxx.*' = 'yyy"),
        ({"no_rope_layers": [[[[[[[[1]]]]]]]] * 10_000}, "'no_rope_layers' = "),
    ],
)
def test_a_setting_that_is_not_known_is_refused_by_its_name(
    checkpoint: Path, changes: dict[str, Any], told: str
) -> None:
    change_config(checkpoint, **changes)
    told = rf"my-model/config.json has {told}.*does not know; remove it if .*, or choose another model"
    with pytest.raises(CheckpointError, match=told) as caught:
        load_model(checkpoint)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_scaling": None},
        {"rope_scaling": {"type": "default"}},
        {"rope_scaling": {"rope_type": "default", "rope_theta": 10_000.0}},
        {"rope_parameters": {"rope_type": "default"}},  # with a theta beside it, at top level
        {"rope_parameters": {"rope_theta": 10_000, "partial_rotary_factor": 1.0}},
        {"rope_theta": None, "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}},
        {"rope_theta": None},
        {"head_dim": None, "is_causal": True, "quantization_config": None, "attention_bias": None},
        {"attention_dropout": 0.1, "pretraining_tp": 1, "use_cache": False, "_name_or_path": "a/b"},
    ],
)
def test_another_way_to_write_the_same_model_is_read(checkpoint: Path, changes: dict[str, Any]) -> None:
    before = load_model(checkpoint).config
    change_config(checkpoint, **changes)
    assert load_model(checkpoint).config == before


def test_no_number_of_kv_heads_means_one_for_each_head(tmp_path: Path) -> None:
    for settings in ({"num_key_value_heads": None}, {}):
        raw = json.loads((CHECKPOINTS / NAME / "config.json").read_text())
        del raw["num_key_value_heads"]
        (tmp_path / "config.json").write_text(json.dumps(raw | settings))
        config = Config.from_hf(tmp_path / "config.json")
        assert config.n_kv_heads == config.n_heads == 8


def test_a_theta_counts_wherever_it_stands_and_two_are_refused(checkpoint: Path) -> None:
    change_config(checkpoint, rope_theta=500_000, rope_parameters={"rope_type": "default"})
    assert load_model(checkpoint).config.rope_theta == 500_000
    change_config(checkpoint, rope_theta=None, rope_parameters={"rope_theta": 50_000.0})
    assert load_model(checkpoint).config.rope_theta == 50_000
    change_config(checkpoint, rope_theta=500_000)
    with pytest.raises(CheckpointError, match=r"rope_theta twice, as 50000.0 and as 500000.0; keep the one"):
        load_model(checkpoint)


def test_all_that_transformers_writes_into_a_config_is_understood(tmp_path: Path) -> None:
    written = LlamaConfig(tie_word_embeddings=True, num_key_value_heads=4)
    (tmp_path / "config.json").write_text(written.to_json_string(use_diff=False))
    config = Config.from_hf(tmp_path / "config.json")
    assert (config.d_model, config.n_heads, config.n_kv_heads, config.head_dim) == (4096, 32, 4, 128)


@pytest.mark.parametrize("settings", [{}, {"torch_dtype": "bfloat16"}, {"max_position_embeddings": 2048}])
def test_the_config_of_a_model_from_elsewhere_is_read(tmp_path: Path, settings: dict[str, Any]) -> None:
    """As SmolLM2-135M has it, a published Llama model with tied embeddings."""
    raw = {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "silu",
        "hidden_size": 576,
        "initializer_range": 0.041666666666666664,
        "intermediate_size": 1536,
        "is_llama_config": True,
        "max_position_embeddings": 8192,
        "model_type": "llama",
        "num_attention_heads": 9,
        "num_hidden_layers": 30,
        "num_key_value_heads": 3,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_interleaved": False,
        "rope_scaling": None,
        "rope_theta": 100000,
        "tie_word_embeddings": True,
        "transformers_version": "4.40.1",
        "use_cache": True,
        "vocab_size": 49152,
    }
    (tmp_path / "config.json").write_text(json.dumps(raw | settings))
    config = Config.from_hf(tmp_path / "config.json")
    assert (config.head_dim, config.rope_theta) == (64, 100_000)


STRETCH = {
    "rope_type": "llama3",
    "factor": 8,
    "low_freq_factor": 1,
    "high_freq_factor": 4,
    "original_max_position_embeddings": 64,
}


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
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps = nan, not a finite number"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps = 'small', not a finite number"),
        ({"rope_theta": 10**4000}, r"rope_theta = 1000\S*000, not a finite number"),
        ({"vocab_size": "many"}, "vocab_size = 'many', not an integer"),
        ({"num_hidden_layers": 4.5}, "num_hidden_layers = 4.5, not an integer"),
        ({"num_key_value_heads": True}, "num_key_value_heads = True, not an integer"),
        ({"hidden_size": None}, "lacks 'hidden_size'"),
        ({"hidden_size": float("inf")}, "hidden_size = inf, not an integer"),
        (
            {"hidden_size": 100, "head_dim": None},
            "hidden_size = 100 is no multiple of num_attention_heads = 8",
        ),
        ({"model_type": "mistral", "sliding_window": 0}, "sliding_window is 0; it must be at least 1"),
        ({"model_type": "mistral", "sliding_window": "wide"}, "sliding_window = 'wide', not an integer"),
        ({"model_type": "mistral", "num_key_value_heads": None}, "lacks 'num_key_value_heads'"),
        ({"model_type": "qwen3", "head_dim": None}, "lacks 'head_dim'"),
        ({"rope_scaling": {**STRETCH, "low_freq_factor": 4}}, "low_freq_factor 4 and .*below the third"),
        ({"max_position_embeddings": 10**10}, "max_position_embeddings = 10000000000.*lower it"),
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
KEYS = [
    "rope_parameters",
    "sliding_window",
    "layer_types",
    *json.loads((CHECKPOINTS / NAME / "config.json").read_text()),
]


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


EMBEDDING = "model.embed_tokens.weight"


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn, torch.float8_e5m2, torch.bool]
)
def test_weights_that_need_a_scale_are_refused_by_name(checkpoint: Path, dtype: torch.dtype) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    change_weights(checkpoint, lambda tensors: tensors.update({name: tensors[name].to(dtype)}))
    with pytest.raises(
        CheckpointError, match=rf"safetensors: {name} is stored as [A-Z]\S+, .*; choose the model"
    ):
        load_model(checkpoint)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_weights_in_another_precision_are_read(checkpoint: Path, dtype: torch.dtype) -> None:
    stored = load_file(checkpoint / "model.safetensors")[EMBEDDING]
    change_weights(checkpoint, lambda tensors: tensors.update({EMBEDDING: stored.to(dtype)}))
    assert torch.equal(load_model(checkpoint).weights.embed, stored.to(dtype).float())


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.q_proj.bias",
        "model.layers.0.mlp.up_proj.weight_scale",
        "model.layers.4.mlp.up_proj.weight",
        "score.weight",
    ],
)
def test_a_tensor_that_the_config_does_not_explain_is_refused_by_name(checkpoint: Path, name: str) -> None:
    change_weights(checkpoint, lambda tensors: tensors.update({name: torch.zeros(3)}))
    told = rf"my-model/model.safetensors holds {name}, which config.json does not explain; copy both files"
    with pytest.raises(CheckpointError, match=told):
        load_model(checkpoint)


def test_a_config_with_fewer_layers_than_the_file_is_refused(checkpoint: Path) -> None:
    change_config(checkpoint, num_hidden_layers=3)
    with pytest.raises(CheckpointError, match=r"holds model\.layers\.3\.\S+ and 8 more, which"):
        load_model(checkpoint)


def test_a_readout_that_the_config_does_not_expect_is_refused(
    checkpoint: Path,
) -> None:
    before = load_model(checkpoint).weights.embed
    change_weights(checkpoint, lambda t: t.update({"lm_head.weight": t[EMBEDDING].clone()}))
    assert torch.equal(load_model(checkpoint).weights.embed, before)
    change_weights(checkpoint, lambda t: t["lm_head.weight"][5].add_(0.5))
    with pytest.raises(CheckpointError, match=r"lm_head.weight differs from the embedding.*; copy both"):
        load_model(checkpoint)
    change_config(checkpoint, tie_word_embeddings=False)
    assert not torch.equal(load_model(checkpoint).readout, before)
    change_weights(checkpoint, lambda t: t.update({"lm_head.weight": t["lm_head.weight"][:7].clone()}))
    for tied in (True, False):
        change_config(checkpoint, tie_word_embeddings=tied)
        with pytest.raises(CheckpointError, match=r"lm_head.weight has shape \[7, 128\]"):
            load_model(checkpoint)
    change_weights(checkpoint, lambda t: t.pop("lm_head.weight"))
    with pytest.raises(CheckpointError, match=r"lacks the tensor lm_head.weight; copy"):
        load_model(checkpoint)


def test_stored_rotary_frequencies_of_earlier_versions_are_passed_over(checkpoint: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    change_weights(checkpoint, lambda tensors: tensors.update({name: torch.ones(8)}))
    assert load_model(checkpoint).config.n_layers == 4


def test_nothing_is_read_of_a_file_that_does_not_fit(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last tensor of the last layer is at fault, and no other has been allocated for it."""
    name = "model.layers.3.mlp.down_proj.weight"
    change_weights(checkpoint, lambda tensors: tensors.update({name: torch.zeros(2, 2)}))
    allocated: list[object] = []
    cat = torch.cat
    monkeypatch.setattr(torch, "cat", lambda parts: allocated.extend(parts) or cat(parts))
    with pytest.raises(CheckpointError, match=name):
        load_model(checkpoint)
    assert allocated
    assert {part.device.type for part in allocated} == {"meta"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("other", ["model-00001-of-00002.safetensors", "pytorch_model.bin"])
def test_a_model_in_files_of_another_kind_is_told_from_an_incomplete_one(
    checkpoint: Path, other: str
) -> None:
    (checkpoint / "model.safetensors").rename(checkpoint / other)
    with pytest.raises(CheckpointError, match=rf"my-model keeps its weights in {other}, .*save it again"):
        load_model(checkpoint)


def test_a_vocabulary_smaller_than_the_tokenizers_is_refused_and_a_larger_one_is_not(
    checkpoint: Path,
) -> None:
    change_config(checkpoint, vocab_size=2047)
    told = r"my-model/config.json has vocab_size = 2,047, and its tokenizer.json has 2,048.*; copy both files"
    with pytest.raises(CheckpointError, match=told):
        load_tokenizer(checkpoint)
    change_config(checkpoint, vocab_size=2050)
    assert load_tokenizer(checkpoint).vocab_size == 2048


def change_tokenizer(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = directory / "tokenizer.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def test_a_tokenizer_of_another_kind_is_refused(checkpoint: Path) -> None:
    original = (checkpoint / "tokenizer.json").read_bytes()
    change_tokenizer(checkpoint, lambda raw: raw.update(decoder={"type": "Fuse"}))
    with pytest.raises(CheckpointError, match=r"my-model/tokenizer.json neither decodes by bytes.*; choose"):
        load_tokenizer(checkpoint)
    (checkpoint / "tokenizer.json").write_bytes(original.replace(b"<|endoftext|>", b"<unk>"))
    with pytest.raises(CheckpointError, match=r"with which token a text starts.*; choose a model"):
        load_tokenizer(checkpoint)


def test_a_tokenizer_cuts_and_fills_up_no_prompt_whatever_its_file_asks_for(checkpoint: Path) -> None:
    text = "Once upon a time there was a dog."
    ids = load_tokenizer(checkpoint).encode(text)

    def change(raw: dict[str, Any]) -> None:
        raw["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
        raw["padding"] = {
            "strategy": {"Fixed": 30},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "<|endoftext|>",
        }
        marker = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
        raw["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [marker, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "<|endoftext|>": {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
            },
        }

    change_tokenizer(checkpoint, change)
    assert load_tokenizer(checkpoint).encode(text) == ids


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
    broken = ("no-config", "deep-config", "no-card", "odd-card", "list-card", "deep-card", "wordy-card")
    for name in ("good", *broken):
        shutil.copytree(CHECKPOINTS / NAME, tmp_path / name)
    (tmp_path / "deep-config" / "config.json").write_text(DEEP)
    (tmp_path / "deep-card" / "card.json").write_text(DEEP)
    (tmp_path / "wordy-card" / "card.json").write_text(
        json.dumps({"parameters": "many", "validation": {"nats_per_token": 1.8}})
    )
    (tmp_path / "no-config" / "config.json").unlink()
    (tmp_path / "no-card" / "card.json").unlink()
    (tmp_path / "odd-card" / "card.json").write_text("{}")
    (tmp_path / "list-card" / "card.json").write_text("[1]")
    (tmp_path / "a-file").write_text("")
    assert [card.name for card in available_models(tmp_path)] == ["good"]


def test_a_directory_of_models_that_is_not_there_is_told(tmp_path: Path) -> None:
    told = r"^There is no directory of models 'nowhere'; let KVENGINE_CHECKPOINTS name one"
    with pytest.raises(CheckpointError, match=told):
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


def test_an_index_that_names_what_is_not_there_is_refused(checkpoint: Path) -> None:
    index = checkpoint / "model.safetensors.index.json"
    (checkpoint / "model.safetensors").rename(checkpoint / "model-00001-of-00001.safetensors")
    for files, told in (
        ({EMBEDDING: "model-0002.safetensors"}, "has no 'model-0002.safetensors'; copy"),
        ({EMBEDDING: "../../secret.safetensors"}, "no file of its own; copy"),
        ({EMBEDDING: "weights.bin"}, "names 'weights.bin', no file of its own"),
        ({EMBEDDING: 7}, "names '7', no file"),
        ({EMBEDDING: "model-00001-of-00001.safetensors"}, "holds other tensors than"),
        ({}, "does not name a file for each tensor"),
        ([], "does not name a file for each tensor"),
    ):
        index.write_text(json.dumps({"weight_map": files}))
        with pytest.raises(CheckpointError, match=told):
            load_model(checkpoint)
