"""What a naive step computes again, operation by operation, and what of it a cache has to keep."""

import streamlit as st

from explainer import ui
from explainer.components.avoided_work import avoided_work
from explainer.figures import avoided_work as figures
from explainer.figures.timing_parts import DARK, LIGHT
from explainer.scenes.avoided_work import scene
from explainer.scenes.encode import token_label
from explainer.state import BLUE_LENGTHS
from explainer.story.avoided_findings import CHARTS, PREMISES, prefill_words
from kvengine.cost import pass_cost
from kvengine.experiments import avoided_shares

KEY = "avoided_work"
LENGTHS = (2, 4, 8, 16, 24, 32, 48, 64)  # of the curve: each one is run
STEPS = 8  # decode steps shown behind the prefill

choice, card, t = ui.choice(), ui.card(), ui.blue_length()
text_of = ui.tokenizer(card.name).token_text
found = ui.recomputation()
broken = found.premise.changed or (0 if found.premise.causal else -1)
st.session_state.update(w_blue_length=t, w_broken=min(broken, 1), w_changed=max(broken, 1))


def pick_length() -> None:
    ui.choose(blue_length=st.session_state.w_blue_length)


def pick_premise() -> None:
    # Three words into the text there is most often a name.
    ui.choose(premise=min(3, t - 1) if st.session_state.w_broken == 1 else st.session_state.w_broken)


with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="avoided_controls"):
    st.select_slider(
        "Tokens in the step before",
        BLUE_LENGTHS,
        key="w_blue_length",
        width=230,
        on_change=pick_length,
        help="The naive step has one more. A longer prompt is cut, a shorter one continued by the model.",
    )
    st.segmented_control(
        "Experiment",
        list(PREMISES),
        key="w_broken",
        required=True,
        format_func=lambda premise: PREMISES[premise],
        on_change=pick_premise,
        help="Break what the blue rests on, and both passes are run and compared again.",
    )
    if broken > 0:
        st.selectbox(
            "Which token",
            range(1, t),
            key="w_changed",
            width=170,
            format_func=lambda i: f"{i}  {token_label(text_of(found.original_ids[i]))}",
            on_change=lambda: ui.choose(premise=st.session_state.w_changed),
            help="In its place comes the token that the model would rather have there.",
        )

scene_id = f"{card.name} {hash(found.token_ids)} {broken} {choice.temperature} {choice.seed}"
data = scene(found, ui.model(card.name), text_of, layer=choice.layer, head=choice.head, scene_id=scene_id)
avoided_work(
    data | {"at": choice.op}, key=KEY, on_view_change=lambda: ui.choose(**st.session_state[KEY]["view"])
)

palette = DARK if st.context.theme.type == "dark" else LIGHT
prefill, naive, cached = (
    pass_cost(card.config, q_len=rows, start=start).multiplications
    for rows, start in ((t, 0), (t + 1, 0), (1, t))
)
st.markdown("#### The whole model")
charts = (
    figures.by_operation(avoided_shares(found), palette),
    figures.by_length(ui.avoided_by_length(LENGTHS), t, palette),
    figures.passes(card.config, t, STEPS, palette),
)
words = (*CHARTS[:2], (CHARTS[2][0], prefill_words(found, prefill, naive, cached)))
for column, (title, text), figure in zip(st.columns(3, gap="medium"), words, charts, strict=True):
    with column:
        st.markdown(f"**{title}**")
        st.markdown(text)
        st.plotly_chart(figure, config={"displayModeBar": False}, theme=None)
