"""What the learner has chosen: one value object, read from an address and written back to it.

No streamlit here: `ui.py` moves it between the address, the widgets and the pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kvengine import ModelCard

EXAMPLES = (
    "Tom and Sara went to the park. Tom gave the ball to",
    "Once upon a time, there was a dog named Max. One day,",
    "The sun was hot. The bird wanted to drink some",
    'Lily had a red ball. Tom had a blue kite. Lily said, "I like my red',
    "Mia was sad because her toy was broken. Her mom said,",
    "Once upon a time",
)

#: Longer prompts are refused by the widget; an address may hold no more either.
LONGEST_PROMPT = 10_000

#: A long prompt fills the cache only so far by itself: the rest of the positions is room to generate.
AUTO_HISTORY = 256

#: Stops of the length slider: every length while they are short, then coarser.
LENGTHS = (*range(1, 33), 40, 48, 64, 96, 128, 192, 256, 384, 511)

#: And of the one on the page of the avoided work, where every cell is drawn.
BLUE_LENGTHS: tuple[int, ...] = tuple(range(2, 65))


@dataclass(frozen=True)
class Choice:
    """Everything that decides what a page shows. `history` 0 means: as long as the prompt."""

    prompt: str = EXAMPLES[0]
    heads: int = 8
    kv_heads: int = 8
    history: int = 0
    temperature: float = 0.0
    seed: int = 0
    layer: int = 3
    head: int = 0
    token: int = -1  # where the walkthrough opens; -1 is the first token behind the history
    stage: int = 1
    blue_length: int = 0  # tokens of the step before, on the page of the avoided work; 0: as the prompt
    premise: int = 0  # there: what is broken; -1 is the mask, n > 0 the token at position n
    op: int = 1  # there: the operation shown


#: Address parameter -> field, for the fields that are whole numbers.
_WHOLE = {
    "heads": "heads",
    "kv": "kv_heads",
    "length": "history",
    "seed": "seed",
    "layer": "layer",
    "head": "head",
    "token": "token",
    "stage": "stage",
    "tokens": "blue_length",
    "premise": "premise",
    "op": "op",
}

#: Written by the scenes in the browser, step by step.
BROWSER_KEYS = ("token", "stage", "op", "ask")


def card_for(choice: Choice, cards: tuple[ModelCard, ...]) -> ModelCard:
    """The model with the chosen heads, or the one nearest to them."""

    def distance(card: ModelCard) -> tuple[int, int]:
        return abs(card.config.n_heads - choice.heads), abs(card.config.n_kv_heads - choice.kv_heads)

    return min(cards, key=distance)


def from_address(params: Mapping[str, str], cards: tuple[ModelCard, ...]) -> tuple[Choice, list[str]]:
    """Read an address: the choice, and a sentence for everything in it that could not be used."""
    notes: list[str] = []
    wanted: dict[str, int] = {}
    for key, field in _WHOLE.items():
        if key in params:
            try:
                wanted[field] = int(params[key])
            except ValueError:
                notes.append(
                    f"{key}={_short(params[key])} in the address is no whole number; it was ignored."
                )
    choice = replace(Choice(), **wanted)  # type: ignore[arg-type]
    if "prompt" in params:
        prompt = params["prompt"]
        if len(prompt) > LONGEST_PROMPT:
            notes.append(f"The prompt in the address was cut to {LONGEST_PROMPT:,} characters.")
        choice = replace(choice, prompt=prompt[:LONGEST_PROMPT])
    if "temperature" in params:
        try:
            choice = replace(choice, temperature=float(params["temperature"]))
        except ValueError:
            notes.append(
                f"temperature={_short(params['temperature'])} in the address is no number; it was ignored."
            )
    fitted, complaints = fit(choice, cards)
    return fitted, notes + complaints


def fit(choice: Choice, cards: tuple[ModelCard, ...]) -> tuple[Choice, list[str]]:
    """The nearest choice that a model at hand can show, and a sentence for each thing that was changed."""
    notes: list[str] = []
    config = card_for(choice, cards).config
    if (choice.heads, choice.kv_heads) != (config.n_heads, config.n_kv_heads):
        # Only a pair that was asked for is missed: with one head, the KV heads follow.
        if choice.kv_heads != Choice.kv_heads or choice.heads not in {c.config.n_heads for c in cards}:
            notes.append(
                f"There is no model with {choice.heads} heads and {choice.kv_heads} KV heads; "
                f"the nearest has {config.n_heads} and {config.n_kv_heads}."
            )
        choice = replace(choice, heads=config.n_heads, kv_heads=config.n_kv_heads)
    longest = config.max_seq_len - 1
    limits: dict[str, tuple[float, float, str]] = {
        "history": (0, longest, f"The cache can hold 1 to {longest} tokens before the next one"),
        "layer": (0, config.n_layers - 1, f"The layers are 0 to {config.n_layers - 1}"),
        "head": (0, config.n_heads - 1, f"The heads are 0 to {config.n_heads - 1}"),
        "stage": (1, 5, "The stages are 1 to 5"),
        "temperature": (0, 2, "The temperature is 0 to 2"),
        "seed": (0, 9999, "The seed is 0 to 9999"),
        "token": (-1, longest, f"The tokens are 0 to {longest}"),
        "blue_length": (0, BLUE_LENGTHS[-1], f"Two steps are compared over 2 to {BLUE_LENGTHS[-1]} tokens"),
        "premise": (-1, BLUE_LENGTHS[-1] - 1, "What can be changed is the mask (-1) or an earlier token"),
        "op": (1, 20, "The operations are 1 to 20"),
    }
    for field, (low, high, fact) in limits.items():
        value = getattr(choice, field)
        if not low <= value <= high:  # NaN fails too
            nearest = high if value > high else low
            if field in ("layer", "head") and value == getattr(Choice, field):
                pass  # the default of a larger model, nobody asked for it
            else:
                notes.append(f"{fact}; {_short(str(value))} was asked for, {nearest} is shown.")
            choice = replace(choice, **{field: nearest})  # type: ignore[arg-type]
    return choice, notes


def to_address(choice: Choice) -> dict[str, str]:
    """The parameters that differ from the start page's, without the browser's own."""
    params: dict[str, str] = {}
    start = Choice()
    if choice.prompt != start.prompt:
        params["prompt"] = choice.prompt
    for key, field in _WHOLE.items():
        if key not in BROWSER_KEYS and getattr(choice, field) != getattr(start, field):
            params[key] = str(getattr(choice, field))
    if choice.temperature != start.temperature:
        params["temperature"] = f"{choice.temperature:g}"
    return params


def _short(text: str) -> str:
    return text if len(text) <= 24 else text[:23] + "…"
