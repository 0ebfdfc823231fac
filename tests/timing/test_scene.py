"""The race as a scene: each lane holds its own path's times and tokens."""

import numpy as np

from explainer.kit.encode import pack
from explainer.timing.scene import race_scene
from kvengine.race import TimedStep
from kvengine.timing import CACHED, NAIVE


def test_each_lane_holds_its_own_steps() -> None:
    steps = [TimedStep(CACHED, 5, 1, 0.001), TimedStep(NAIVE, 5, 2, 0.003), TimedStep(CACHED, 6, 3, 0.002)]
    scene = race_scene("Hi", steps, lambda n: f"<{n}>", new_tokens=8, prompt_tokens=5, running=True)
    assert scene["lanes"][CACHED]["text"] == ["<1>", "<3>"]
    np.testing.assert_allclose(scene["lanes"][CACHED]["ms"], [1, 2])
    np.testing.assert_allclose(scene["lanes"][NAIVE]["ms"], [3])
    assert (scene["newTokens"], scene["first"], scene["running"]) == (8, 5, True)
    assert pack(scene)


def test_a_race_that_has_not_begun_has_empty_lanes() -> None:
    scene = race_scene("Hi", [], str, new_tokens=8, prompt_tokens=5, running=True)
    assert [len(lane["ms"]) for lane in scene["lanes"].values()] == [0, 0]
    assert pack(scene)
