"""Scenes on their way to the browser."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

#: Kinds of array that `web/arrays.js` can read.
_KINDS = {"<f4", "|u1", "<u2"}


def pack(scene: Mapping[str, Any]) -> bytes:
    """A dict with arrays in it, at any depth, as one message: arrays travel as they are, to the last bit.

    Four bytes with the length of the JSON (little-endian), the JSON, padded to a multiple of four, then the
    arrays, each beginning at a multiple of four. In the JSON an array is {"$array": [kind, start, shape]}.
    Floats become float32; bytes (uint8) and uint16 stay what they are. Equal arrays travel once.
    """
    parts: dict[bytes, int] = {}  # each with where it begins
    size = 0

    def place(value: object) -> dict[str, Any]:
        nonlocal size
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a scene cannot hold a {type(value).__name__}")
        array = np.ascontiguousarray(value, dtype="<f4" if value.dtype.kind == "f" else None)
        kind = array.dtype.str
        if kind not in _KINDS:
            raise TypeError(f"a scene cannot hold an array of {array.dtype}")
        data = array.tobytes()
        padded = data + bytes(-len(data) % 4)
        start = parts.setdefault(padded, size)
        size += len(padded) if start == size else 0
        return {"$array": [kind, start, list(array.shape)]}

    header = json.dumps(scene, default=place, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    return b"".join([len(header).to_bytes(4, "little"), header, *parts])


@lru_cache(maxsize=65_536)
def token_label(text: str) -> str:
    """A token as a label: its leading space dropped, white space and lost bytes made visible."""
    if not text.strip(" "):
        return text.replace(" ", "␣") or "∅"
    return visible(text.strip(" ").replace("\n", "⏎").replace("\t", "⇥"))


def visible(text: str) -> str:
    """A text to be shown; what cannot be seen in it, or turns what follows, is written as its code."""
    return "".join(c if c.isprintable() or c == "\n" else f"<0x{ord(c):02X}>" for c in text)
