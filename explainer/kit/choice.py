"""What every page shares of a learner's choice: the prompt, the model, the layer and head, the sampling."""

from dataclasses import dataclass, replace

from explainer.kit.address import real, short, text, whole
from kvengine import ModelCard
from kvengine.weights import SMOLLM2

EXAMPLES = (
    "Tom and Sara went to the park. Tom gave the ball to",
    "Once upon a time, there was a dog named Max. One day,",
    "The sun was hot. The bird wanted to drink some",
    'Lily had a red ball. Tom had a blue kite. Lily said, "I like my red',
    "Kip Zola had a red ball. One day, Kip",
    "Mia was sad because her toy was broken. Her mom said,",
    "Once upon a time",
)

#: For a language model that has read more than children's stories.
REAL_EXAMPLES = (
    "The capital of France is Paris. The capital of Italy is",
    "Water boils at 100 degrees. Ice melts at",
    "Dr. Amara Okafor opened the letter. It began: Dear Dr. Amara",
    "def add(a, b):\n    return a + b\n\ndef multiply(a, b):\n    return",
    "The quick brown fox jumps over the lazy dog. The quick brown",
)

#: Layer and head at which a real model opens. In this one, of its 270 heads, the one that
#: looks most at what the default prompt asks for: at “to” it puts 0.87 of its weight on “Sara”.
OPENS_AT = {SMOLLM2: (21, 8)}

_TITLES = {SMOLLM2: "SmolLM2"}


def titled(name: str) -> str:
    """A real model's name, short where it is known."""
    return _TITLES.get(name, name)


#: Longer prompts are refused by the widget; an address may hold no more either.
LONGEST_PROMPT = 10_000


@dataclass(frozen=True)
class Common:
    """The choice that goes along from page to page."""

    prompt: str = text(
        "prompt", EXAMPLES[0], LONGEST_PROMPT, "The prompt in the address was cut to {high} characters."
    )
    heads: int = whole("heads", 8, -(10**9), 10**9, "")
    kv_heads: int = whole("kv", 8, -(10**9), 10**9, "")
    layer: int = whole("layer", 3, 0, lambda c: c.n_layers - 1, "The layers are {low} to {high}", adapts=True)
    head: int = whole("head", 0, 0, lambda c: c.n_heads - 1, "The heads are {low} to {high}", adapts=True)
    temperature: float = real("temperature", 0.0, 0, 2, "The temperature is {low} to {high}")
    seed: int = whole("seed", 0, 0, 9999, "The seed is {low} to {high}")
    #: Empty: one of the models that ship, by its heads.
    model: str = text("model", "", 100, "The name of the model in the address was cut to {high} characters.")
    chat: int = whole("chat", 0, 0, 1, "A prompt is a text, chat=0, or a message in a conversation, chat=1")
    path: int = whole("path", 0, 0, 2, "The paths are 1, of ten minutes, and 2, of forty")

    def opened(self) -> "Common":
        """The same at the layer and head where the chosen model opens."""
        layer, head = OPENS_AT.get(self.model, (Common.layer, Common.head))
        return replace(self, layer=layer, head=head)

    def always_written(self) -> frozenset[str]:
        """What an address says of this choice even where it is the default: a real model opens elsewhere."""
        return frozenset({"layer", "head"}) if self.model in OPENS_AT else frozenset()


def card_for(choice: Common, cards: tuple[ModelCard, ...], further: tuple[ModelCard, ...] = ()) -> ModelCard:
    """The model chosen by its name among `further`; else, of `cards`, the one nearest by its heads."""
    for card in further:
        if card.name == choice.model:
            return card

    def distance(card: ModelCard) -> tuple[int, int]:
        return abs(card.config.n_heads - choice.heads), abs(card.config.n_kv_heads - choice.kv_heads)

    return min(cards, key=distance)


def fit_model(
    choice: Common, cards: tuple[ModelCard, ...], further: tuple[ModelCard, ...] = ()
) -> tuple[Common, list[str]]:
    """The choice of a model at hand, and a sentence where another was asked for."""
    notes = []
    if choice.model and choice.model not in {card.name for card in further}:
        notes.append(f"There is no model {short(choice.model)} here; one of those that ship is shown.")
        choice = replace(choice, model="")
    if choice.model:
        return choice, notes
    choice = replace(choice, chat=0)  # those that ship were never trained on conversations
    config = card_for(choice, cards).config
    if (choice.heads, choice.kv_heads) == (config.n_heads, config.n_kv_heads):
        return choice, notes
    # Only a pair that was asked for is missed: with one head, the KV heads follow.
    if choice.kv_heads != Common.kv_heads or choice.heads not in {c.config.n_heads for c in cards}:
        notes.append(
            f"There is no model with {choice.heads} heads and {choice.kv_heads} KV heads; "
            f"the nearest has {config.n_heads} and {config.n_kv_heads}."
        )
    return replace(choice, heads=config.n_heads, kv_heads=config.n_kv_heads), notes
