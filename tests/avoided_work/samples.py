"""Compared steps that the tests of the avoided work look at."""

from functools import cache
from typing import Any

from explainer.avoided_work.scene import scene
from kvengine import load_model, load_tokenizer, sampler
from kvengine.experiments import Premise, Recomputation, recompute, text_of_length

MODEL = "stories-1m-h8-kv4"
PREMISES = (Premise(), Premise(causal=False), Premise(changed=1), Premise(changed=3))
PROMPT = 'Lily said, "I see <b>a cat</b> & a dog'


@cache
def found(premise: Premise, t: int = 7, temperature: float = 0.0) -> Recomputation:
    model, tokenizer = load_model(MODEL), load_tokenizer(MODEL)
    ids = text_of_length(model, tokenizer.encode(PROMPT), t + 1)
    return recompute(model, ids, premise, sampler=sampler(temperature), temperature=temperature)


def drawn(premise: Premise, layer: int = 1, t: int = 7, temperature: float = 0.0) -> dict[str, Any]:
    r, tokenizer = found(premise, t, temperature), load_tokenizer(MODEL)
    return scene(
        r,
        load_model(MODEL),
        texts=tokenizer.texts(r.token_ids),
        originals=tokenizer.texts(r.original_ids),
        text_of=tokenizer.token_text,
        layer=layer,
        head=0,
    )
