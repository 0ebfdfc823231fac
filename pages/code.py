"""The code: as it runs, line by line; a cache of one's own, with its usual bugs; the engine as a library."""

import streamlit as st

from explainer.code import changes, runs
from explainer.code.choice import PARTS, CodeChoice
from explainer.code.listing import pieces
from explainer.code.scene import stop_called, stops_of_stages, wording
from explainer.code.words import WORDS
from explainer.kit import cache, scene, session
from explainer.kit.controls import chosen, more_controls, shown
from explainer.kit.slow import working
from explainer.kit.wording import address
from explainer.kit.words import say

NAME = "code"
PHONE = "<style>@media (max-width: 640px) { .st-key-controls { display: none !important; } }</style>"

common, own, card = session.common(), session.own(CodeChoice), session.card()
prompt = session.prompt_ids()

more_controls()
st.segmented_control(
    WORDS["parts"]["label"],
    range(1, len(PARTS) + 1),
    **shown("w_part", own.part, "default"),
    required=True,
    label_visibility="collapsed",
    format_func=lambda part: WORDS["parts"][PARTS[part - 1]],
    on_change=chosen("w_part", "part"),
)
part = PARTS[own.part - 1]
shared = {
    "part": part,
    "revision": session.revision(),
    "wording": address(NAME, wording),
}
temperature, seed = common.temperature, common.seed

if part == "run":
    text = prompt[: own.length + 1] if own.length else prompt
    walk = cache.identity("code", card.name, text, temperature, seed)
    asked = scene.sent(NAME, "at") or {}
    mine = asked.get("walk") == walk and asked.get("revision") == session.revision()
    token = asked["token"] if mine else own.token or min(len(text), card.config.max_seq_len) - 1
    token = max(1, token)
    where = {"position": token, "layer": common.layer, "head": common.head}
    with working(card.name):
        data = runs.step(card.name, text, **where, temperature=temperature, seed=seed)
    named = stop_called(data["stops"], own.at)
    if own.at and not named:
        st.info(say(WORDS["unknown"], at=own.at), icon=":material/info:")
    first = named or stops_of_stages(data["stops"]).get(own.stage, 1)
    at = min(own.line or first, len(data["stops"]))
    drawn = data | {
        "walk": walk,
        "token": token,
        "prompt_length": len(text),
        "length": own.length,
        "id": f"{walk} {token} {common.layer} {common.head}",
        "at": {"lap": token, "stage": at},
    }
elif part == "own":
    if len(prompt) > runs.LONGEST:
        st.info(say(WORDS["own"]["empty"], used=str(runs.LONGEST)), icon=":material/info:")
    if not changes.plain(card.config):
        st.info(WORDS["own"]["plain"], icon=":material/info:")
        st.stop()
    walk = cache.identity("own", card.name, prompt)
    asked = scene.sent(NAME, "try") or {}
    change = asked["change"] if asked.get("walk") == walk else own.change
    with working(card.name):
        outcomes = runs.outcomes(card, common.prompt, change)
    data = changes.scene(
        outcomes,
        runs.appending(card.config),
        cache.tokenizer(card.name).token_text,
        base=card.config.rope_theta,
        expanded_in=runs.grouped(card).config,
    )
    drawn = data | {"walk": walk, "at": {"lap": 0, "stage": own.change}}
else:
    st.html(PHONE)  # these lines have a model and a prompt of their own
    drawn = runs.library() | {"code": pieces(runs.TEN_LINES.rstrip("\n"))}
scene.mount(NAME, shared | drawn, on_at_change=lambda: None, on_try_change=lambda: None)
