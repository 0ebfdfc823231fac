"""The avoided work in blue: the operations of a layer, then the reductions, stepped in the browser."""

from collections.abc import Callable
from typing import Any

from explainer.components.register import register

_HTML = """
<div class="scene-root avoided" role="region" aria-label="The avoided work, operation by operation">
  <p class="text"></p>
  <nav class="rail ops" aria-label="Operations of the layer"></nav>
  <nav class="rail then" aria-label="Reductions"></nav>
  <p class="finding" role="status"></p>
  <div class="area">
    <div class="scene"></div>
    <div class="story"></div>
  </div>
  <div class="tip" aria-hidden="true" hidden></div>
  <div class="live sr" role="status" aria-live="polite"></div>
</div>
"""

_component = register("avoided_work", _HTML)


def avoided_work(scene: dict[str, Any], *, key: str, on_view_change: Callable[[], None]) -> None:
    """Draw `scenes.avoided_work.scene`, with `at`: the step to open with, counted from 1.

    State that comes back under `key`: `view` = {layer, head}, set when another one is picked.
    """
    _component(data=scene, key=key, on_view_change=on_view_change)
