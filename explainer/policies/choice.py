"""The policies page's own parameters in the address."""

from dataclasses import dataclass

from explainer.kit.address import text, whole

#: The parts of the page, in their order: name in the address -> name on the page.
PARTS = {
    "watch": "Watch it forget",
    "which": "Which one forgets?",
    "loss": "Loss against memory",
    "endless": "Past the context",
    "first": "The first token",
}

#: Words written behind the prompt while one watches, and the longest prompt that is read there.
NEW, LONGEST = 36, 160

#: The largest budget: the positions of the models that ship.
MOST = 512

_CUT = "of the policies page: only {high} characters were read."


@dataclass(frozen=True)
class PoliciesChoice:
    """A budget that a policy cannot work with gets its sentence from the policy."""

    part: str = text("part", "watch", 12, f"The part {_CUT}")
    policy: str = text("policy", "window", 12, f"The policy {_CUT}")
    budget: int = whole("budget", 16, 0, MOST, "The budget is {low} to {high} rows")
    text: str = text("text", "cat", 12, f"The text {_CUT}")
    step: int = whole("step", 0, 0, MOST, "The steps are {low} to {high}", browser=True)
