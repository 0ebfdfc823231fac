"""The timing lab's own parameters in the address: a link can set up what one click then measures."""

from dataclasses import dataclass

from explainer.kit.address import whole
from kvengine.timing import MAX_LENGTH

#: How the sweep is shown, in the order of its views in `figures.py`.
VIEWS = 3

#: The parts of the page, in their order, by the anchors that they have on it.
PARTS = ("race", "sweep", "scale", "why", "precision")


@dataclass(frozen=True)
class TimingChoice:
    """`longest` is the sweep's longest text, `view` how it is shown, `scale` the tokens drawn to scale."""

    longest: int = whole(
        "longest", 512, 1, MAX_LENGTH, "The longest text of the sweep has {low} to {high} tokens"
    )
    view: int = whole("view", 1, 1, VIEWS, "The views of the sweep are {low} to {high}")
    part: int = whole("part", 1, 1, len(PARTS), "The parts are {low} to {high}", browser=True)
    scale: int = whole("scale", 1000, 1, MAX_LENGTH, "What is drawn to scale has {low} to {high} tokens")
