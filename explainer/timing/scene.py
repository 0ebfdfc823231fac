"""The race as a scene: what scene.js draws."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from explainer.kit.encode import visible
from kvengine.race import TimedStep
from kvengine.timing import CACHED, NAIVE


def race_scene(
    prompt: str,
    steps: Sequence[TimedStep],
    text_of: Callable[[int], str],
    *,
    new_tokens: int,
    prompt_tokens: int,
    running: bool,
) -> dict[str, Any]:
    """The steps so far of both paths; `text_of` gives a token's text."""
    lanes = {}
    for path in (CACHED, NAIVE):
        own = [step for step in steps if step.path == path]
        lanes[path] = {
            "ms": np.array([step.seconds * 1e3 for step in own], dtype=np.float32),
            "text": [text_of(step.token_id) for step in own],
        }
    return {
        "what": "race",
        "prompt": visible(prompt),
        "lanes": lanes,
        "newTokens": new_tokens,
        "first": prompt_tokens,
        "running": running,
    }
