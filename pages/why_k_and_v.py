"""Why K and V are kept and not Q: a visit to a library, the cache used wrongly, and what a key holds."""

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.choice import titled
from explainer.kit.encode import token_label
from explainer.kit.slow import Sketch, working
from explainer.kit.wording import address
from explainer.kit.words import say
from explainer.why_k_and_v import runs
from explainer.why_k_and_v import scene as drawn
from explainer.why_k_and_v.choice import LONGEST, READERS, WhyChoice, changed_of
from explainer.why_k_and_v.words import WORDS
from kvengine import PromptError
from kvengine.changed import changed_rows
from kvengine.misuse import MISUSES

NAME = "why_k_and_v"

common, own, card = session.common(), session.own(WhyChoice), session.card()
prompt, tokenizer = session.prompt_ids(), cache.tokenizer(card.name)
layer, head, temperature, seed = common.layer, common.head, common.temperature, common.seed

if len(prompt) == 1:
    st.info(WORDS["prompt"]["empty"], icon=":material/info:")
elif len(prompt) > LONGEST:
    used = {"tokens": f"{len(prompt):,}", "used": str(LONGEST)}
    st.info(say(WORDS["prompt"]["long"], **used), icon=":material/info:")

# The readers are the first steps of the walkthrough's walk.
history = max(1, min(len(prompt), LONGEST) - 1)
shown = history + READERS
position = changed_of(own, history)
told = say(WORDS["prompt"]["working"], name=titled(card.name))
with working(card.name, told, sketch=Sketch(NAME)) as progress:
    parts = len(MISUSES) + 4  # each takes about as long as one of the others
    walk, recorded = cache.recording(
        card.name,
        prompt[: history + 1],
        history=history,
        position=shown - 1,
        temperature=temperature,
        seed=seed,
        progress=lambda done, wanted: progress(done, wanted * parts),
    )
    ids = recorded.token_ids[: history + 1]
    outcomes = runs.outcomes(
        card.name,
        ids,
        temperature=temperature,
        seed=seed,
        progress=lambda done: progress(1 + done, parts),
    )
    progress(parts - 3, parts)
    _, whole = cache.recomputation(card.name, ids, t=history, premise=0, temperature=temperature, seed=seed)
    progress(parts - 2, parts)
    reads = runs.reads(card.name, recorded.token_ids[:shown])
    progress(parts - 1, parts)
    without = runs.changed(card.name, ids, causal=False)
    exchanged = runs.changed(card.name, ids, position=position) if position else None
    spelled, refused = None, ""
    try:
        spelled = runs.spelled(card.name, own.name)
    except PromptError as error:
        refused = str(error)
texts = tokenizer.texts(recorded.token_ids)
labels = [token_label(text) for text in texts]

data = {
    "key": cache.identity("why", card.name, ids, temperature, seed),
    "revision": session.revision(),
    "at": {"lap": 0, "stage": own.stage},
    "reader": own.reader,
    "row": own.row,
    "piece": own.piece,
    "name": own.name,
    "wording": address(NAME, drawn.wording),
    "operands": [
        f"operands/weights/{card.name}/{layer}",
        f"operands/walk/{walk}/{layer}/{recorded.rows}",
    ],
}
data |= drawn.scene(card.config)
data["library"] = drawn.library(recorded, texts, layer=layer, head=head)
data["roles"] = drawn.roles(reads, labels[:shown])
data["experiments"] = drawn.experiments(
    outcomes.by_misuse, tokenizer.token_text, card.config, layer=layer, head=head
)
data["everything"] = drawn.kept(card.config, history, whole.read)
data["holds"] = None
if exchanged:
    other = token_label(tokenizer.token_text(exchanged.token_ids[position]))
    data["holds"] = drawn.holds(exchanged.rows, labels[:history], position, labels[position], other)
data["unmasked"] = drawn.unmasked(changed_rows(whole), without.rows, labels[: history + 1])
if spelled:
    data["spelling"] = drawn.spelling(spelled, tokenizer.token_text, card.config, name=own.name)
else:
    data["spelling"] = {"error": refused}

scene.mount(
    NAME,
    data,
    on_view_change=lambda: session.choose(**scene.sent(NAME, "view")),
)
