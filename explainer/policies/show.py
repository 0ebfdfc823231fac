"""The parts of the policies page: each computes what it shows when it is opened."""

from collections.abc import Callable

import streamlit as st

from explainer.kit import cache, scene, session
from explainer.kit.controls import chosen, shown
from explainer.kit.slow import Sketch, working
from explainer.kit.words import count
from explainer.policies.choice import LONGEST, PoliciesChoice
from explainer.policies.controls import budget_slider
from explainer.policies.rules import RULES
from explainer.policies.runs import pair, prompt_of
from explainer.policies.scene import scene as texts_side_by_side
from explainer.policies.show_endless import endless
from explainer.policies.show_first import first
from explainer.policies.show_loss import loss
from explainer.policies.show_which import which
from explainer.policies.words import TEXTS, label, tell

NAME = "policies"
OWN = "own"


def watching() -> None:
    """The same prompt with a full cache and with a thinned one."""
    own, common, card = session.own(PoliciesChoice), session.common(), session.card()
    rule = own.policy if own.policy in RULES else PoliciesChoice.policy
    text = own.text if own.text in (*TEXTS["watch"], OWN) else PoliciesChoice.text
    for field, used in (("policy", rule), ("text", text)):
        if getattr(own, field) != used:
            st.warning(tell(f"page.unknown_{field}", **{field: getattr(own, field)}), icon=":material/info:")
    _controls(rule, text)
    ids = prompt_of(card.name, text, common.prompt)
    if text == OWN and len(whole := session.prompt_ids()) > LONGEST:
        told = tell("page.prompt_long", tokens=count(len(whole), "token"), used=str(LONGEST))
        st.info(told, icon=":material/info:")
    with session.errors_shown(), working(card.name, sketch=Sketch(NAME)) as progress:
        key, found = pair(card.name, ids, rule, own.budget, common.layer, common.head, progress)
    scene.mount(
        NAME,
        {
            "key": key,
            "revision": session.revision(),
            "step": own.step,
            "layer": common.layer,
            "head": common.head,
        }
        | texts_side_by_side(found, rule, cache.tokenizer(card.name).texts),
    )


def _controls(rule: str, text: str) -> None:
    common, config = session.common(), session.card().config
    titles = {name: told["title"] for name, told in TEXTS["watch"].items()} | {OWN: label("page.own")}
    with st.container(horizontal=True, vertical_alignment="bottom", key="policy_controls"):
        st.selectbox(
            label("page.text"),
            list(titles),
            format_func=lambda name: titles.get(name, name),
            **shown("p_text", text, among=list(titles)),
            width=190,
            on_change=chosen("p_text", "text"),
        )
        st.selectbox(
            label("page.policy"),
            list(RULES),
            format_func=lambda name: RULES[name].title if name in RULES else name,
            **shown("p_policy", rule, among=list(RULES)),
            width=300,
            help=tell(f"rules.{rule}") + (f" ({RULES[rule].paper})" if RULES[rule].paper else ""),
            on_change=chosen("p_policy", "policy"),
        )
        if RULES[rule].budgeted:
            budget_slider("p_budget")
        for field, most in (("layer", config.n_layers), ("head", config.n_heads)):
            st.selectbox(
                label(f"page.{field}"),
                list(range(most)),
                **shown(f"p_{field}", getattr(common, field), among=range(most)),
                width=80,
                on_change=chosen(f"p_{field}", field),
            )


#: By the names of `choice.PARTS`.
SHOWN: dict[str, Callable[[], None]] = {
    "watch": watching,
    "which": which,
    "loss": loss,
    "endless": endless,
    "first": first,
}
