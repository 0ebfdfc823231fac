"""Loss against memory: every policy at every budget, measured on the page's own stories."""

import streamlit as st

from explainer.kit import cache, session
from explainer.kit.charts import chart, palette, prose
from explainer.kit.lab import LAB
from explainer.kit.measure import Setting
from explainer.kit.runs import begin, polling, watched
from explainer.policies import figures
from explainer.policies import loss_words as said
from explainer.policies.choice import PoliciesChoice
from explainer.policies.controls import budget_slider, save
from explainer.policies.kept import gathered
from explainer.policies.measure import LATE, LossCurve, LossPoint, plan, plan_at
from explainer.policies.rules import RULES
from explainer.policies.words import TEXTS, label, nats, tell

RUN = "policies_loss"
#: In the session when the budget was moved: what is missing at it is measured then.
AGAIN = "p_loss_again"
#: Tokens of each story; the shortest has some more.
LENGTH = 224


def stories(name: str) -> tuple[tuple[int, ...], ...]:
    """The held-out stories as tokens, all of one length."""
    return tuple(tuple(cache.tokenizer(name).encode(story)[:LENGTH]) for story in TEXTS["stories"])


def small() -> str:
    """The chosen model, or the first that ships where that is a large one."""
    shipped = {card.name for card in cache.cards()}
    name = session.card().name
    return name if name in shipped else cache.cards()[0].name


def setting(name: str, prompt: str = "") -> Setting:
    """What a run of that small model is measured with."""
    config = next(card.config for card in cache.cards() if card.name == name)
    return Setting(name, config, tuple(cache.tokenizer(name).encode(prompt)), "cpu", "float32", 1)


def loss() -> None:
    """The part of the page."""
    LAB.warm_up()
    on = polling(RUN)
    st.title(label("loss.title"), anchor=False)
    count = len(TEXTS["stories"])
    prose(tell("loss.text", stories=count, tokens=LENGTH, late=LATE))
    with st.container(horizontal=True, vertical_alignment="bottom", key="policy_controls"):
        budget_slider("p_loss_budget", AGAIN, most=LATE)
    budget = session.own(PoliciesChoice).budget
    with session.errors_shown():
        RULES["window"].make(budget)
    st.fragment(_curve, run_every=on)(small(), budget, on is not None)
    with st.expander(label("first.texts_title")):
        for story in TEXTS["stories"]:
            st.text(story)


def _kept(name: str) -> dict[tuple[str, int], LossPoint]:
    """All that was measured with that model since the page was opened."""
    return gathered(RUN, name, lambda run: run.setting.name == name, lambda p: (p.rule, p.budget or 0))


def _curve(name: str, budget: int, was_polling: bool) -> None:
    points = list(_kept(name).values())
    if not points:
        prose(tell("loss.guess"))
    with st.container(horizontal=True, vertical_alignment="center"):
        again = st.session_state.pop(AGAIN, False) and bool(points)
        pressed = polling(RUN) is None and st.button(
            label("loss.start"), type="primary", icon=":material/play_arrow:", key="start_policies_loss"
        )
        missing = [at for at in (*plan(), *plan_at(budget)) if at not in _kept(name)]
        if pressed or (again and missing):
            wanted = tuple(dict.fromkeys(missing or plan()))
            of = setting(name)
            begin(RUN, LossCurve(of, stories(name), wanted), of, "", len(wanted))
        found = watched(RUN, was_polling)
    if found and found.run.active:
        done = len(found.run.results)
        st.progress(done / found.size, label("loss.progress", done=done, all=found.size))
    points = list(_kept(name).values())
    if not points or found is None:
        prose(tell("loss.before"))
        return
    full = next((nats(p.late) for p in points if p.rule == "full"), "–")
    figure = figures.against_memory(points, budget, palette())
    chart(figure, "loss-against-memory", label("loss.chart_alt", full=full))
    at = [p for p in points if p.budget in (None, budget)]
    if any(p.budget for p in at):
        st.markdown(f"**{label('loss.at', budget=budget)}**")
        st.table(said.rows(sorted(at, key=lambda p: p.late)))
    if found.run.active:
        return
    for line in (said.best_line(points, budget), said.bits_line(points), said.beyond_line(points)):
        if line:
            prose(line)
    prose(f"{tell('loss.bits_note')} {tell('loss.snap_note', prompt=LATE)}")
    with st.expander(label("loss.table")):
        st.table(said.rows(points))
    save(said.to_csv(points), f"cache-policies-{name}")
    prose(tell("loss.machine", model=found.setting.name, when=found.when))
