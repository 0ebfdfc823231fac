"""What the visitors of the code page share: steps run line by line, and the caches with their bugs."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from explainer.code.changes import plain
from explainer.code.own import (
    CHANGES,
    WORDS_LARGE,
    WORDS_WRITTEN,
    Appending,
    Outcome,
    run_text,
    time_appending,
    try_out,
)
from explainer.code.scene import Runs, scene
from explainer.kit.cache import (
    COMPUTING,
    MIB,
    cards,
    computing,
    identity,
    large,
    model,
    prompt_tokens,
    tokenizer,
)
from explainer.kit.shelf import Shelf
from kvengine import ModelCard, sampler
from kvengine.config import Config
from kvengine.generate import text_of_length
from kvengine.lines import decode_step

TEN_LINES = Path(__file__).with_name("ten_lines.py").read_text(encoding="utf-8")

#: The size of a group that is usual: four query heads to a KV head, as in Llama 3 8B.
GROUP = 4

#: Of a longer prompt so many tokens are used to try a cache out.
LONGEST = 257


@dataclass(frozen=True)
class Kept:
    """What a scene needs, and about what it takes of the memory; `text` is the step's, with its new token."""

    data: dict[str, Any]
    nbytes: int
    text: tuple[int, ...]


#: Steps, a layer and head each: about 0.2 MB, however long the text is.
STEPS: Shelf[str, Kept] = Shelf(48 * MIB)


def step(
    name: str,
    token_ids: tuple[int, ...],
    *,
    position: int,
    layer: int,
    head: int,
    temperature: float,
    seed: int,
) -> dict[str, Any]:
    """The step that runs the token at `position`, line by line in three runs, as the scene draws it.

    The text is cut or continued to that token.
    """

    def key(at: int) -> str:
        return identity("lines", name, token_ids[: at + 1], at, layer, head, temperature, seed)

    def make() -> Kept:
        with computing(name):
            run = model(name)
            draw = sampler(temperature, seed=seed)
            # Behind the prompt, the step before this one has chosen the token.
            before = STEPS.peek(key(position - 1)) if position >= len(token_ids) else None
            known = before.text if before else token_ids
            ids = text_of_length(run, known, position + 1, sampler=draw)
            runs = Runs(
                cached=decode_step(run, ids, layer=layer, use_cache=True, sampler=draw),
                naive=decode_step(run, ids, layer=layer, use_cache=False, sampler=draw),
                before=decode_step(run, ids[:-1], layer=layer, use_cache=False, sampler=draw, count=False),
            )
        words = tokenizer(name)
        data = scene(runs, run.config, words.texts(ids), words.token_text, layer=layer, head=head)
        return Kept(data, 2 * MIB // 8, (*ids, runs.cached.step.token_id))

    return STEPS.get(key(position), make).data


@dataclass(frozen=True)
class Tried:
    """What one changed cache did."""

    outcome: Outcome

    @property
    def nbytes(self) -> int:
        return 1024


#: Changes that were run, for each model and text.
TRIED: Shelf[str, Tried] = Shelf(2 * MIB)


def grouped(card: ModelCard) -> ModelCard:
    """The model to expand heads in: the chosen one if it has groups of them, or another that has."""
    if card.config.group_size > 1:
        return card
    with_groups = [other for other in cards() if other.config.group_size > 1 and plain(other.config)]
    return min(with_groups, key=lambda other: abs(other.config.group_size - GROUP), default=card)


def outcomes(card: ModelCard, prompt: str, change: int) -> dict[str, Outcome]:
    """What the changes did with a prompt: those that were run before, and the one asked for, from 1."""
    found = {}
    for i, key in enumerate(CHANGES, start=1):
        name = grouped(card).name if key == "expanded" else card.name
        token_ids = prompt_tokens(name, prompt)[:LONGEST]
        place = identity("own", name, token_ids, key)

        def make(name: str = name, token_ids: tuple[int, ...] = token_ids, key: str = key) -> Tried:
            words = WORDS_LARGE if large(name) else WORDS_WRITTEN
            with computing(name):
                return Tried(try_out(model(name), token_ids, key, words))

        kept = TRIED.get(place, make) if i == change else TRIED.peek(place)
        if kept:
            found[key] = kept.outcome
    return found


@lru_cache(maxsize=16)
def appending(config: Config) -> dict[str, Appending]:
    """What an append takes, in place and by copying, alone among all that the pages compute."""
    with COMPUTING:
        return {key: time_appending(config, key) for key in ("none", "grow")}


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """The ten lines, and what they print: run once, in this process."""
    with COMPUTING:
        return {"text": TEN_LINES, "printed": run_text(compile(TEN_LINES, "ten_lines.py", "exec"))}
