"""Which policy forgets: all of them on the same prompt, at the same budget, guessed first."""

from collections.abc import Sequence

import streamlit as st

from explainer.kit import cache, session
from explainer.kit.charts import prose
from explainer.kit.controls import shown
from explainer.kit.lab import LAB
from explainer.kit.measure import Setting
from explainer.kit.runs import Measured, begin, measured, polling, watched
from explainer.policies import which_words as said
from explainer.policies.choice import PoliciesChoice
from explainer.policies.controls import budget_slider, save
from explainer.policies.kept import gathered
from explainer.policies.measure_which import Recalled, WhichForgets, places, plan
from explainer.policies.rules import RULES, title
from explainer.policies.words import TEXTS, label, tell

RUN = "policies_which"

STYLE = """<style>
table.which { border-collapse: collapse; font-variant-numeric: tabular-nums; line-height: 1.3; }
table.which :is(th, td) { padding: 0.28rem 1.1rem 0.28rem 0;
  border-bottom: 1px solid rgba(128, 128, 128, 0.35); text-align: left; font-weight: 400; }
table.which thead th { font-size: 0.85rem; opacity: 0.85; vertical-align: bottom; }
table.which tbody th { font-weight: 600; }
table.which td.chance { min-width: 9rem; white-space: nowrap; }
table.which :is(.came, .gone) { white-space: nowrap; }
table.which td.chance i { display: inline-block; height: 0.7rem; max-width: 5rem; background: currentColor;
  margin-right: 0.4rem; }
table.which .came { font-weight: 600; }
@media (max-width: 900px) {
  table.which thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table.which tr { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: 0.4rem 0;
    border-bottom: 1px solid rgba(128, 128, 128, 0.35); }
  table.which :is(th, td) { border: 0; padding: 0; }
  table.which tbody th { flex: 1 1 55%; }
  table.which td.chance i { max-width: 3.5rem; }
  table.which td.written { flex-basis: 100%; }
  table.which :is(td.holding, td.rows, td.bytes, td.guess)::before {
    content: attr(data-name) ": "; opacity: 0.85; }
}
</style>"""


def which() -> None:
    """The part of the page."""
    LAB.warm_up()
    own = session.own(PoliciesChoice)
    text = own.text if own.text in TEXTS["watch"] else PoliciesChoice.text
    told = TEXTS["watch"][text]
    st.html(STYLE)
    st.title(label("which.title", asked=told["asked"]), anchor=False)
    prose(tell("which.text", asked=told["asked"], answer=told["answer"].strip()))
    with st.container(horizontal=True, vertical_alignment="bottom", key="policy_controls"):
        st.selectbox(
            label("page.text"),
            list(TEXTS["watch"]),
            format_func=lambda name: TEXTS["watch"][name]["title"] if name in TEXTS["watch"] else name,
            **shown("p_which_text", text, among=list(TEXTS["watch"])),
            width=220,
            on_change=lambda: session.choose(text=st.session_state.get("p_which_text", text)),
        )
        budget_slider("p_which_budget", "p_which_again")
    prose(tell("which.prompt", text=told["text"]))
    with st.container(key="tells_which"):
        st.pills(
            label("which.guess", asked=told["asked"], budget=own.budget),
            [name for name in RULES if name != "full"],
            format_func=lambda name: title(name) if name in RULES else name,
            selection_mode="multi",
            key="p_which_guess",
        )
    on = polling(RUN)
    st.fragment(_compared, run_every=on)(text, own.budget, on is not None)


def _compared(text: str, budget: int, was_polling: bool) -> None:
    card, answer = session.card(), str(TEXTS["watch"][text]["answer"])
    tokenizer = cache.tokenizer(card.name)

    def kept() -> dict[str, Recalled]:
        def ours(run: Measured) -> bool:
            return (run.setting.name, run.prompt, run.size) == (card.name, text, budget)

        return gathered(RUN, (card.name, text, budget), ours, lambda point: point.rule)

    with st.container(horizontal=True, vertical_alignment="center"):
        again = st.session_state.pop("p_which_again", False) and measured(RUN) is not None
        pressed = polling(RUN) is None and st.button(
            label("which.start"), type="primary", icon=":material/play_arrow:", key="start_policies_which"
        )
        missing = tuple(rule for rule in plan() if rule not in kept()) or plan()
        if pressed or (again and len(kept()) < len(plan())):
            prompt = tokenizer.encode(TEXTS["watch"][text]["text"])
            of = Setting(card.name, card.config, tuple(prompt), "cpu", "float32", 1)
            answer_ids = tuple(tokenizer.encode(TEXTS["watch"][text]["text"] + answer)[len(prompt) :])
            job = WhichForgets(of, answer_ids, places(tokenizer.texts(prompt), answer), budget, missing)
            st.session_state["policies_guessed"] = tuple(st.session_state.get("p_which_guess") or ())
            begin(RUN, job, of, text, budget)
        found = watched(RUN, was_polling)
    points = list(kept().values())
    if found and found.run.active:
        st.progress(len(points) / len(plan()), label("loss.progress", done=len(points), all=len(plan())))
    if not points or found is None:
        return

    def decode(ids: Sequence[int]) -> str:
        return tokenizer.decode(list(ids))

    guessed = st.session_state.get("policies_guessed") or None
    if len(points) == len(plan()):
        prose(" ".join(said.lines(points, answer, decode, guessed)))
    st.html(said.table(points, answer, decode, guessed))
    if not found.run.active:
        save(said.to_csv(points, answer, decode), f"which-policy-forgets-{text}-{budget}-{card.name}")
        prose(tell("loss.machine", model=found.setting.name, when=found.when))
