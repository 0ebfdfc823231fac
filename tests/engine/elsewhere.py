"""A device that there is not: its tensors say that they lie on it, and the CPU does their arithmetic.

What an Apple GPU refuses is refused: one operation on tensors of two devices, `numpy()` of a tensor that is
not in the CPU's memory, and float64. All but the last a CUDA GPU refuses as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: The one that is pretended. Of two kinds of GPU it is the one that refuses more.
DEVICE = torch.device("mps", 0)

#: What a tensor tells of itself wherever its numbers lie.
_TOLD = {"device": DEVICE, "is_mps": True, "is_cpu": False, "is_cuda": False}

#: Operations that take no tensor of another device, be it a single number.
_STRICT = ("cat", "stack", "gather", "isin", "linear", "matmul", "__matmul__", "embedding")


class Elsewhere(Tensor):
    """A tensor that says it is on `DEVICE`; its `numbers` lie in the CPU's memory."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "Elsewhere":
        if numbers.dtype == torch.float64:
            raise TypeError("MPS has no float64")
        made: Elsewhere = Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=DEVICE,
        )
        made.numbers = numbers
        return made

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} was run past what is pretended here")


class There(TorchFunctionMode):
    """While it is entered, `device=DEVICE` and `.to(DEVICE)` make tensors that are Elsewhere."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Run one function of torch's: on the CPU's tensors as ever, on others as that device would."""
    name = func.__self__.__name__ if func.__name__ == "__get__" else func.__name__  # type: ignore[attr-defined]
    tensors = list(_tensors((args, kwargs)))
    there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere)]
    if there and name in _TOLD:
        return _TOLD[name]
    if name in ("to", "cpu"):
        return _moved(args[0], args[1:] if name == "to" else ["cpu"], kwargs)
    made = _names_it(kwargs.get("device"))
    if not there and not made:
        return func(*args, **kwargs)
    if name in ("numpy", "__array__"):
        if not kwargs.get("force"):
            raise TypeError(f"a tensor on {DEVICE} is not in memory that numpy can see")
        return args[0].numbers.clone().numpy()
    if kwargs.get("device") is not None and not made:
        raise RuntimeError(f"{name} makes a tensor on {kwargs['device']} from one on {DEVICE}")
    if not all(_may_join(name, tensor, args) for tensor in here):
        shapes = [tuple(tensor.shape) for tensor in here]
        raise RuntimeError(f"{name} meets tensors on two devices, {DEVICE} and the CPU: there, {shapes}")
    if "device" in kwargs:
        kwargs = {**kwargs, "device": "cpu"}
    known = {id(tensor.numbers): tensor for tensor in there}  # what is changed in place stays what it is
    found = func(*_each(args, _numbers), **_each(kwargs, _numbers))
    return _each(found, lambda tensor: known[id(tensor)] if id(tensor) in known else Elsewhere(tensor))


def _may_join(name: str, tensor: Tensor, args: Sequence[Any]) -> bool:
    """Does an operation there take this tensor of the CPU's? A single number, an index, or what is copied."""
    if name in ("__getitem__", "__setitem__"):
        index, given = args[1] if isinstance(args[1], tuple) else (args[1],), args[2:]
        picked = any(isinstance(part, list | Tensor) for part in index)
        # What is given for a slice is copied, for picked places it is not. The CPU's tensors take nothing.
        refused = picked and tensor.ndim > 0 and any(tensor is value for value in given)
        return isinstance(args[0], Elsewhere) and not refused
    return name == "copy_" or (tensor.ndim == 0 and name not in _STRICT)


def _moved(tensor: Tensor, to: Iterable[Any], named: Mapping[str, Any]) -> Tensor:
    """`tensor.to(...)`: with a device, a dtype, both, or another tensor that has them. A copy is one."""
    device, dtype = tensor.device, tensor.dtype
    for part in (*to, *named.values()):
        if isinstance(part, Tensor):
            device, dtype = part.device, part.dtype
        elif isinstance(part, torch.dtype):
            dtype = part
        elif isinstance(part, str | torch.device):
            device = DEVICE if _names_it(part) else torch.device(part)
    if (device, dtype) == (tensor.device, tensor.dtype):
        return tensor
    copy = _numbers(tensor).to(dtype, copy=True)
    return Elsewhere(copy) if device == DEVICE else copy


def _names_it(device: object) -> bool:
    return isinstance(device, str | torch.device) and torch.device(device).type == DEVICE.type


def _numbers(tensor: Tensor) -> Tensor:
    return tensor.numbers if isinstance(tensor, Elsewhere) else tensor


def _tensors(value: object) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same, with all tensors in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _each(part, change) for name, part in value.items()}
    if isinstance(value, list | tuple):
        parts = [_each(part, change) for part in value]
        return type(value)(parts)  # topk, sort and cummax give tuples of their own
    return value
