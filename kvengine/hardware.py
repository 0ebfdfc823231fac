"""What a measurement runs on: the device, its precision and threads, and a model put there."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from kvengine.errors import PromptError
from kvengine.model import LayerWeights, Transformer, Weights

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Hardware:
    """Where a measurement ran. `threads` is what torch spreads one operation over on the CPU."""

    name: str
    device: str
    cores: int
    threads: int
    torch: str


def devices() -> tuple[str, ...]:
    """The devices that torch can use here."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return tuple(name for name, is_there in there.items() if is_there)


def chosen_device() -> str:
    """The device that the operator wants real models on, in KVENGINE_DEVICE; without one, the CPU.

    Raises `PromptError` for one that is not there.
    """
    named = os.environ.get("KVENGINE_DEVICE") or "cpu"
    if named not in devices():
        at_hand = ", ".join(devices())
        raise PromptError(f"KVENGINE_DEVICE is {named!r}, and torch can use {at_hand} here; name one.")
    return named


@cache
def dtypes(device: str) -> tuple[str, ...]:
    """The precisions in which `device` multiplies matrices."""
    return tuple(name for name, dtype in DTYPES.items() if _multiplies(device, dtype))


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hardware(device: str, threads: int) -> Hardware:
    """This machine, for a measurement on `device` that uses that many threads of the CPU."""
    name = torch.cuda.get_device_name() if device == "cuda" else _processor()  # of which mps is a part
    return Hardware(name, device, cores(), threads, str(torch.__version__))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch spread each operation over `n` threads of the CPU, for as long as the block lasts.

    The number is the whole process's: only a process that does nothing but measure may change it.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it; the CPU has, when a call returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def place(model: Transformer, *, device: str, dtype: str, max_seq_len: int | None = None) -> Transformer:
    """The same weights on another device, in another precision, or with room for more positions.

    Past the positions it was trained on a model still takes its time, but no longer writes sense. Raises
    `PromptError` for a device or precision that there is none of.
    """
    if device not in devices() or dtype not in DTYPES:
        raise PromptError(f"This machine cannot run {dtype} on {device}; choose another.")
    w, to = model.weights, DTYPES[dtype]

    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device=device, dtype=to)

    def move_layer(layer: LayerWeights) -> LayerWeights:
        return replace(layer, **{name: move(t) for name, t in vars(layer).items() if t is not None})

    config = replace(model.config, max_seq_len=max(max_seq_len or 0, model.config.max_seq_len))
    readout = w.readout if w.readout is None else move(w.readout)
    layers = tuple(map(move_layer, w.layers))
    return Transformer(config, Weights(move(w.embed), layers, move(w.norm), readout))


def _multiplies(device: str, dtype: torch.dtype) -> bool:
    try:
        ones = torch.ones(2, 2, device=device, dtype=dtype)
        return bool((ones @ ones)[0, 0] == 2)
    except (RuntimeError, TypeError):
        return False


@cache
def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"
