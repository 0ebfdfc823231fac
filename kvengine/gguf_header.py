"""The head of a GGUF file: what the file says of itself, and where each of its tensors lies.

Read after the format's specification (github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3). The `gguf`
library reads it, too, but makes an array of each string: for a vocabulary of fifty thousand tokens and as
many merges that is two seconds of work, and what is wanted first is a handful of numbers.
"""

import struct
from typing import Any, NamedTuple

#: Kinds of value, by the number that the file has for them: how `struct` reads one.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9


class TensorInfo(NamedTuple):
    """Where a tensor is: its shape as GGUF counts it, the last axis first; `begin` counts from the file's."""

    name: str
    shape: tuple[int, ...]
    kind: int
    begin: int


class Header(NamedTuple):
    said: dict[str, Any]
    tensors: tuple[TensorInfo, ...]


def read_header(data: memoryview) -> Header:
    """The head of the file with these bytes. Raises `ValueError` where it is broken, cut, or another kind."""
    return _Reader(data).header()


class _Reader:
    """Reads one value after the other."""

    def __init__(self, data: memoryview) -> None:
        self._data, self._at = data, 0

    def header(self) -> Header:
        if bytes(self._bytes(4)) != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        if (version := self._number("I")) not in (2, 3):
            raise ValueError(f"its version is {version}, not 2 or 3")
        n_tensors, n_said = self._number("Q"), self._number("Q")
        said: dict[str, Any] = {}
        for _ in range(n_said):
            name = self._string()
            if name in said:
                raise ValueError(f"it says {name[:80]} twice")
            said[name] = self._value(self._number("I"))
        found: dict[str, TensorInfo] = {}
        for _ in range(n_tensors):
            name = self._string()
            if name in found:
                raise ValueError(f"it has {name[:80]} twice")
            shape = self._numbers("Q", self._number("I"))
            found[name] = TensorInfo(name, shape, self._number("I"), self._number("Q"))
        alignment = said.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError(f"its alignment is {alignment!r}")
        start = -(-self._at // alignment) * alignment
        return Header(said, tuple(info._replace(begin=start + info.begin) for info in found.values()))

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._number(_form(kind))
        kind, length = self._number("I"), self._number("Q")
        if kind == _STRING:
            return [self._string() for _ in range(length)]
        return list(self._numbers(_form(kind), length))

    def _string(self) -> str:
        return str(self._bytes(self._number("Q")), "utf-8")

    def _number(self, form: str) -> Any:
        return self._numbers(form, 1)[0]

    def _numbers(self, form: str, count: int) -> tuple[Any, ...]:
        # Sliced first: a count out of all proportion must not ask `struct` for so much memory.
        size = struct.calcsize(f"<{form}")
        return tuple(value for (value,) in struct.iter_unpack(f"<{form}", self._bytes(count * size)))

    def _bytes(self, count: int) -> memoryview:
        end = self._at + count
        if end > len(self._data):
            raise ValueError("it ends in the middle of what it says of itself")
        part, self._at = self._data[self._at : end], end
        return part


def _form(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"it has a value of a kind {kind} that there is not")
    return _SCALARS[kind]
