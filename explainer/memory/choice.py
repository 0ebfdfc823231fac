"""The memory page's own parameters in the address."""

from dataclasses import dataclass, replace

from explainer.kit.address import text, whole

#: The parts of the page, in their order: name in the address -> name on the page.
PARTS = {
    "now": "The cache now",
    "model": "Any model",
    "speed": "Speed",
    "heads": "Heads",
    "blocks": "Blocks",
    "trade": "The trade",
}

#: Tokens that the text grows by while one watches.
NEW = 24
#: Of a longer prompt so many tokens are used.
LONGEST = 384

#: Model of the calculator whose numbers are the learner's own, and the one that runs here.
OWN, RUNNING = "own", "running"

_CUT = "of the memory page: only {high} characters were read."


@dataclass(frozen=True)
class MemoryChoice:
    """What is typed into the calculator stays text until it is computed: nonsense gets a sentence there."""

    part: str = text("part", "now", 12, f"The part {_CUT}")
    grown: int = whole(
        "grown", 0, 0, NEW + 1, "The text grows by at most 24 tokens: grown is {low} to {high}", browser=True
    )
    shape: str = text("shape", "", 48, f"The shape {_CUT}", browser=True)
    sharing: int = whole("sharing", 1, 1, 4, "The steps from MHA to MQA are {low} to {high}", browser=True)
    step: int = whole("step", 1, 1, 1000, "The steps of the requests are {low} to {high}", browser=True)
    preset: str = text("preset", "llama-3.1-8b", 40, f"The model {_CUT}")
    own: str = text("own", "", 120, f"The model's numbers {_CUT}")
    context: str = text("context", "", 40, f"The context {_CUT}")
    batch: str = text("batch", "1", 40, f"The batch {_CUT}")
    fmt: str = text("format", "bf16", 8, f"The number format {_CUT}")
    weights: str = text("weights", "", 8, f"The bits of the weights {_CUT}")
    gpu: str = text("gpu", "h100", 24, f"The GPU {_CUT}")
    cards: str = text("gpus", "1", 40, f"The number of GPUs {_CUT}")
    axes: str = text("axes", "log", 8, f"The axes {_CUT}")
    requests: str = text("requests", "", 480, f"The requests {_CUT}")
    row: str = text("row", "128", 40, f"The length of a row {_CUT}")
    places: str = text("places", "512", 40, f"The memory {_CUT}")

    def with_another_prompt(self) -> "MemoryChoice":
        """The part that is open stays, and what was calculated; the text grows anew."""
        return replace(self, grown=0, shape="")
