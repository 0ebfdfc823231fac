"""What a naive step computes again, operation by operation, and what of it a cache has to keep."""

import streamlit as st

from explainer.avoided_work.choice import LENGTHS, LENGTHS_LARGE, AvoidedChoice, length_of, premise_of
from explainer.avoided_work.findings import shares
from explainer.avoided_work.scene import scene as drawn
from explainer.avoided_work.show_charts import charts
from explainer.avoided_work.words import WORDS
from explainer.kit import cache, scene, session
from explainer.kit.controls import chosen, more_controls, picked, shown
from explainer.kit.encode import token_label
from explainer.kit.slow import working
from explainer.kit.words import say

NAME = "avoided_work"
STYLE = """<style>
.st-key-avoided_premise { row-gap: 0.4rem; }
.st-key-avoided_premise [data-testid="stButtonGroup"] > div { flex-wrap: wrap; }
@media (max-width: 640px) { body.kv-stepped:not(.kv-asked) .st-key-avoided_premise { display: none; } }
@media (max-width: 480px) { .st-key-avoided_premise button { padding-inline: 0.4rem; font-size: 0.85rem; } }
@media print {
  :is([class*="st-key-tells_"], .st-key-avoided_premise) { display: none !important; }
}
/* Until the scene stands they would be in sight, and what is drawn in sight would hold it up. */
body:not(.kv-stepped) [class*="st-key-tells_"] { display: none; }
.st-key-tells_avoided_charts [data-testid="stColumn"] { min-width: min(24rem, 100%); }
</style>"""

common, own, card = session.common(), session.own(AvoidedChoice), session.card()
prompt, tokenizer = session.prompt_ids(), cache.tokenizer(card.name)
lengths = LENGTHS_LARGE if cache.large(card.name) else LENGTHS
t = length_of(own, len(prompt), lengths)
premise = premise_of(own, t)
temperature, seed = common.temperature, common.seed
with working(card.name, say(WORDS["prompt"]["comparing"], tokens=t, layers=card.config.n_layers)):
    key, found = cache.recomputation(
        card.name, prompt[: t + 1], t=t, premise=premise, temperature=temperature, seed=seed
    )
texts, originals = tokenizer.texts(found.token_ids), tokenizer.texts(found.original_ids)
told = WORDS["premise"]

st.html(STYLE)
with more_controls():
    st.select_slider(
        told["length"],
        lengths,
        **shown("w_compared", t),
        width=225,
        on_change=chosen("w_compared", "t"),
        help=told["length_help"],
    )


def pick_premise() -> None:
    # Three words into the text there is most often a name.
    broken = picked("w_premise", premise)
    session.choose(premise=min(3, t - 1) if broken == 1 else broken)


with st.container(horizontal=True, vertical_alignment="center", gap="small", key="avoided_premise"):
    st.markdown(f"**{told['heading']}**", width="content", help=told["help"])
    st.segmented_control(
        told["heading"],
        (0, -1, 1),
        **shown("w_premise", min(premise, 1), "default"),
        required=True,
        label_visibility="collapsed",
        format_func=lambda broken: told[{0: "none", -1: "mask", 1: "token"}[broken]],
        on_change=pick_premise,
    )
    if premise > 0:
        st.selectbox(
            told["which"],
            range(1, t),
            **shown("w_changed", premise, among=range(1, t)),
            width=150,
            label_visibility="collapsed",
            format_func=lambda i: f"{i}  {token_label(originals[i])}",
            on_change=chosen("w_changed", "premise"),
            help=told["which_help"],
        )
if own.t > lengths[-1]:
    said = {"most": str(lengths[-1]), "layers": card.config.n_layers}
    st.info(say(WORDS["prompt"]["large"], **said), icon=":material/info:")
elif len(prompt) > lengths[-1] + 1:
    said = {"tokens": f"{len(prompt):,}", "most": str(lengths[-1]), "used": str(t + 1)}
    st.info(say(WORDS["prompt"]["long"], **said), icon=":material/info:")

scene.mount(
    NAME,
    {
        "key": key,
        "revision": session.revision(),
        "at": {"lap": 0, "stage": own.op},
        "operands": [
            f"operands/weights/{card.name}/{common.layer}",
            f"operands/recomputation/{key}/{common.layer}",
        ],
    }
    | drawn(
        found,
        cache.model(card.name),
        texts=texts,
        originals=originals,
        text_of=tokenizer.token_text,
        layer=common.layer,
        head=common.head,
    ),
    on_view_change=lambda: session.choose(**scene.sent(NAME, "view")),
)

charts(shares(found), prompt[: LENGTHS[-1] + 1], t=t, premise=premise)
