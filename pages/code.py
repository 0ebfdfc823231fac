"""The code: as it runs, line by line; a cache of one's own, with its usual bugs; the engine as a library."""

import streamlit as st

from explainer.code import runs
from explainer.code.choice import PARTS, CodeChoice
from explainer.code.scene import stops_of_stages
from explainer.code.words import WORDS, explained
from explainer.kit import address, cache, scene, session
from explainer.kit.controls import follow, more_controls, picked

NAME = "code"

common, own, card = session.common(), session.own(CodeChoice), session.card()
prompt = session.prompt_ids()

follow("w_part", own.part)
more_controls()
st.segmented_control(
    WORDS["parts"]["label"],
    range(1, len(PARTS) + 1),
    key="w_part",
    required=True,
    label_visibility="collapsed",
    format_func=lambda part: WORDS["parts"][PARTS[part - 1]],
    on_change=lambda: session.choose(part=picked("w_part", own.part)),
)
part = PARTS[own.part - 1]
shared = {
    "part": part,
    "revision": session.revision(),
    "link": address.write(common),
    "words": {key: value for key, value in WORDS.items() if key not in ("line", "parts")},
    "terms": explained(),
}
temperature, seed = common.temperature, common.seed

if part == "run":
    walk = cache.identity("code", card.name, prompt, temperature, seed)
    asked = scene.sent(NAME, "at") or {}
    mine = asked.get("walk") == walk and asked.get("revision") == session.revision()
    token = asked["token"] if mine else own.token or min(len(prompt), card.config.max_seq_len) - 1
    token = max(1, token)
    where = {"position": token, "layer": common.layer, "head": common.head}
    data = runs.step(card.name, prompt, **where, temperature=temperature, seed=seed)
    first = stops_of_stages(data["stops"]).get(own.stage, 1)
    at = min(own.line or first, len(data["stops"]))
    drawn = data | {
        "walk": walk,
        "token": token,
        "id": f"{walk} {token} {common.layer} {common.head}",
        "at": {"lap": token, "stage": at},
    }
else:
    drawn = {}
scene.mount(NAME, shared | drawn, on_at_change=lambda: None)
