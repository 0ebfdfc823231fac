"""Where a model computes: what the pass makes lies beside the weights, and the operator names the device."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kvengine import KVCache, PromptError
from kvengine.hardware import chosen_device, devices, place
from tests.engine.reference import tiny_model


@pytest.mark.parametrize("changes", [{}, {"window": 3}, {"qk_norm": True}, {"qkv_bias": True}])
def test_whatever_a_pass_makes_is_on_the_models_device(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """torch's device without numbers stands for any but the CPU: a tensor left there cannot join in."""
    monkeypatch.setattr("kvengine.hardware.devices", lambda: ("cpu", "meta"))
    model = place(tiny_model(**changes), device="meta", dtype="float32")
    ids, cache = torch.zeros(1, 9, dtype=torch.long, device="meta"), KVCache(model.config, device="meta")
    seen = set()

    def tap(name: str, tensor: Tensor) -> Tensor:
        seen.add(tensor.device.type)
        return tensor

    logits = [
        model(ids),
        model(ids, None, tap),
        model(ids[:, :4], cache),
        model(ids[:, 4:6], cache, tap),
        model(ids[:, 6:8], cache),
        model(ids[:, 8:], cache, tap, last_only=True),
    ]
    assert {found.device.type for found in logits} == seen == {"meta"}


def test_the_operator_names_the_device_of_real_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KVENGINE_DEVICE", raising=False)
    assert chosen_device() == "cpu"
    for device in devices():
        monkeypatch.setenv("KVENGINE_DEVICE", device)
        assert chosen_device() == device
    monkeypatch.setenv("KVENGINE_DEVICE", "abacus")
    with pytest.raises(PromptError, match="'abacus', and torch can use cpu"):
        chosen_device()
