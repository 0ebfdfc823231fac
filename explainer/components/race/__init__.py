"""The race: two texts, two clocks and the time of every token, redrawn in place while it runs."""

from collections.abc import Sequence
from typing import Any

from explainer.components.register import register
from kvengine.timing import CACHED, NAIVE, TimedStep

_HTML = """
<div class="scene-root race" role="region" aria-label="Cached and naive generation, timed">
  <div class="lanes"></div>
  <figure class="plot"></figure>
</div>
"""

_component = register("race", _HTML)


def race(
    prompt: str,
    steps: Sequence[TimedStep],
    texts: Sequence[str],
    *,
    new_tokens: int,
    prompt_tokens: int,
    running: bool,
    key: str,
) -> None:
    """Draw the steps so far; `texts` holds the text of each step's token."""
    lanes: dict[str, dict[str, list[Any]]] = {path: {"ms": [], "text": []} for path in (CACHED, NAIVE)}
    for step, text in zip(steps, texts, strict=True):
        lanes[step.path]["ms"].append(round(step.seconds * 1e3, 4))
        lanes[step.path]["text"].append(text)
    _component(
        data={
            "prompt": prompt,
            "lanes": lanes,
            "newTokens": new_tokens,
            "first": prompt_tokens,
            "running": running,
        },
        key=key,
    )
