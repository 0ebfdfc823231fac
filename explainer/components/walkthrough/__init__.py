"""The walkthrough scene: five stages a token, stepped in the browser."""

from collections.abc import Callable
from typing import Any

from explainer.components.register import register

_HTML = """
<div class="scene-root" role="region" aria-label="Walkthrough of one generated token">
  <h1 class="sr">The KV cache, live: one generated token in five stages</h1>
  <p class="text"></p>
  <nav class="rail" aria-label="Stages"></nav>
  <div class="area">
    <div class="scene"></div>
    <div class="story"></div>
  </div>
  <div class="tip" aria-hidden="true" hidden></div>
  <div class="live sr" role="status" aria-live="polite"></div>
</div>
"""

_component = register("walkthrough", _HTML)


def walkthrough(
    scene: dict[str, Any],
    *,
    key: str,
    on_at_change: Callable[[], None],
    on_view_change: Callable[[], None],
) -> None:
    """Draw `scenes.walkthrough.scene`, with `at` = {position, stage}: where to open.

    State that comes back under `key`: `at` = {id, position}, set when the learner nears the last recorded
    token; `view` = {layer, head}, set when another head is picked.
    """
    _component(data=scene, key=key, on_at_change=on_at_change, on_view_change=on_view_change)
