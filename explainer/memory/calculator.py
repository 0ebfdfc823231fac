"""What is typed into the calculator, and what follows from it: no streamlit, no drawing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TypeVar

from explainer.memory.choice import OWN, RUNNING, MemoryChoice
from explainer.memory.numbers import real, short, whole
from kvengine import ModelCard
from kvengine.memory import (
    FORMATS,
    MOST_PARAMETERS,
    MOST_TOKENS,
    Format,
    Shape,
    SizeError,
    decode_bound,
    kv_bytes,
    most_sequences,
    outweighs_at,
    within,
    wrong_formulas,
)
from kvengine.presets import Gpu, Preset, gpus, presets

T = TypeVar("T")

#: vLLM's default share of a GPU's memory for weights and cache (vllm/config/cache.py, commit 002f10e0).
USABLE = 0.92
WEIGHT_BITS = ("32", "16", "8", "4")
MOST_CARDS = 1024


@dataclass(frozen=True)
class Numbers:
    """The learner's own model, as typed, in the order in which the address has it."""

    layers: str
    heads: str
    kv_heads: str
    head_dim: str
    d_model: str
    billions: str
    window: str = "0"
    local_layers: str = "0"

    @classmethod
    def read(cls, said: str, otherwise: Preset) -> "Numbers":
        """What the address says, with the numbers of a preset where it says nothing."""
        s = otherwise.shape
        given = said.split("_")
        start = cls(
            str(s.n_layers),
            str(s.n_heads),
            str(s.n_kv_heads),
            str(s.head_dim),
            str(s.d_model),
            f"{otherwise.parameters / 1e9:g}",
            str(s.window),
            str(s.n_local),
        )
        if not said:
            return start
        names = [f.name for f in fields(cls)]
        return replace(start, **dict(zip(names, given, strict=False)))

    @property
    def said(self) -> str:
        return "_".join(getattr(self, f.name).replace("_", "") for f in fields(self))

    def preset(self) -> Preset:
        """The numbers as a model. Raises `SizeError`."""
        n_local = whole(self.local_layers, "layers with a window")
        window = whole(self.window, "window")
        if window:  # where no layer has it, too
            within("window", window, MOST_TOKENS)
        shape = Shape(
            whole(self.layers, "layers"),
            whole(self.heads, "heads"),
            whole(self.kv_heads, "KV heads"),
            whole(self.head_dim, "head_dim"),
            whole(self.d_model, "d_model"),
            window if n_local else 0,
            n_local,
        )
        parameters = real(self.billions, "parameters") * 1e9
        if parameters > MOST_PARAMETERS:
            raise SizeError(f"No model has {parameters:.3g} parameters; choose fewer.")
        count = round(parameters)
        return Preset(OWN, "Your model", shape, count, count, 8192, 16, "", "your numbers", "", "")


@dataclass(frozen=True)
class Sum:
    """A model, a load and a GPU, and what follows."""

    model: Preset
    tokens: int
    batch: int
    fmt: Format
    weight_bits: int
    gpu: Gpu
    cards: int

    @cached_property
    def weights(self) -> int:
        """Bytes of all parameters."""
        return self.model.parameters * self.weight_bits // 8

    @cached_property
    def read_weights(self) -> int:
        """Bytes of the parameters that one token is computed with: of experts, those that it uses."""
        return self.model.active * self.weight_bits // 8

    @property
    def token(self) -> int:
        return self.model.shape.token_bytes(self.fmt)

    @cached_property
    def sequence(self) -> int:
        return kv_bytes(self.model.shape, self.tokens, self.fmt)

    @property
    def cache(self) -> int:
        return self.batch * self.sequence

    @property
    def memory(self) -> float:
        """Bytes of all GPUs together."""
        return self.cards * self.gpu.memory

    @property
    def users(self) -> int:
        """Sequences of this context that fit beside the weights into the usable share of the memory."""
        return most_sequences(USABLE * self.memory, self.weights, self.sequence)

    @property
    def outweighs(self) -> int | None:
        """Tokens of each sequence from which the caches are larger than the weights."""
        return outweighs_at(self.model.shape, self.fmt, self.weights, batch=self.batch)

    @property
    def bound(self) -> float:
        """Tokens per second that this batch cannot exceed."""
        return self.bound_of(self.batch)

    def bound_of(self, batch: int) -> float:
        return decode_bound(self.cards * self.gpu.bandwidth, self.read_weights, self.sequence, batch=batch)

    @property
    def wrong(self) -> dict[str, float]:
        """By what factor each of the common wrong formulas misses."""
        found = wrong_formulas(self.model.shape, self.tokens, self.fmt, batch=self.batch)
        return {name: size / self.cache for name, size in found.items()}


def running(card: ModelCard) -> Preset:
    """The model that runs here, as the calculator has it."""
    config = card.config
    return Preset(
        RUNNING,
        f"Running here: {card.name}",
        Shape.of(config),
        card.parameters,
        card.parameters,
        config.max_seq_len,
        32,
        "",
        "its own config.json",
        "",
        "",
    )


def models(card: ModelCard) -> Mapping[str, Preset]:
    """All that can be chosen but one's own."""
    return {RUNNING: running(card), **presets()}


def calculate(choice: MemoryChoice, card: ModelCard) -> Sum:
    """Raises `SizeError`, with a sentence, for whatever cannot be computed."""
    known = models(card)
    if choice.preset == OWN:
        model = Numbers.read(choice.own, presets()[MemoryChoice.preset]).preset()
    else:
        model = _one_of(known, choice.preset, "model")
    weights = choice.weights or str(model.weight_bits)
    if weights not in WEIGHT_BITS:
        raise SizeError(f"Weights of {short(weights)} bits are not offered; choose {', '.join(WEIGHT_BITS)}.")
    cards = whole(choice.cards, "GPUs")
    within("number of GPUs", cards, MOST_CARDS)
    found = Sum(
        model,
        whole(choice.context, "context") if choice.context else model.context,
        whole(choice.batch, "batch"),
        _one_of(FORMATS, choice.fmt, "number format"),
        int(weights),
        _one_of(gpus(), choice.gpu, "GPU"),
        cards,
    )
    kv_bytes(model.shape, found.tokens, found.fmt, batch=found.batch)  # refuses what is out of range
    return found


def _one_of(known: Mapping[str, T], key: str, what: str) -> T:
    if key not in known:
        raise SizeError(f"There is no {what} “{short(key)}” here; choose one of those in the list.")
    return known[key]
