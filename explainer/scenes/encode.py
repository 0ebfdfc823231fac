"""Arrays on their way to the browser."""

import base64
from typing import Any

import numpy as np


def f32(array: np.ndarray) -> dict[str, Any]:
    """A float32 copy as {shape, b64}: exact to the last bit, and a third of what JSON numbers would take."""
    exact = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(exact.shape), "b64": base64.b64encode(exact.tobytes()).decode("ascii")}


def token_label(text: str) -> str:
    """A token as a label: its leading space dropped, white space and lost bytes made visible."""
    if not text.strip(" "):
        return text.replace(" ", "␣") or "∅"
    visible = text.strip(" ").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else f"<0x{ord(c):02X}>" for c in visible)
