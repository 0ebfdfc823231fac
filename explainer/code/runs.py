"""What the visitors of the code page share: steps run line by line, and the caches with their bugs."""

from dataclasses import dataclass
from typing import Any

from explainer.code.scene import Runs, scene
from explainer.kit.cache import COMPUTING, MIB, identity, model, tokenizer
from explainer.kit.shelf import Shelf
from kvengine import sampler
from kvengine.generate import text_of_length
from kvengine.lines import decode_step


@dataclass(frozen=True)
class Kept:
    """What a scene needs, and about what it takes of the memory."""

    data: dict[str, Any]
    nbytes: int


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
    key = identity("lines", name, token_ids[: position + 1], position, layer, head, temperature, seed)

    def make() -> Kept:
        with COMPUTING:
            run = model(name)
            draw = sampler(temperature, seed=seed)
            ids = text_of_length(run, token_ids, position + 1, sampler=draw)
            runs = Runs(
                cached=decode_step(run, ids, layer=layer, use_cache=True, sampler=draw),
                naive=decode_step(run, ids, layer=layer, use_cache=False, sampler=draw),
                before=decode_step(run, ids[:-1], layer=layer, use_cache=False, sampler=draw),
            )
        words = tokenizer(name)
        data = scene(runs, run.config, words.texts(ids), words.token_text, layer=layer, head=head)
        return Kept(data, 2 * MIB // 8)

    return STEPS.get(key, make).data
