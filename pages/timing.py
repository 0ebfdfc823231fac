"""The timing lab: cached against naive, measured live."""

import streamlit as st

from explainer.kit.cache import tokenizer
from explainer.kit.charts import prose
from explainer.kit.lab import LAB
from explainer.kit.measure import Setting
from explainer.kit.session import card, prompt_ids
from explainer.timing import show, words
from explainer.timing.words import tell
from kvengine.hardware import cores, devices, dtypes

# On a phone what the page is about stands above the controls.
STYLE = """<style>
@media (max-width: 640px) { [data-testid="stLayoutWrapper"]:has(> .st-key-t_lead) { order: -1; } }
</style>"""

LAB.warm_up()  # the measuring process starts while the page is read
config, ids = card().config, prompt_ids()
kept_ids = ids[: config.max_seq_len - show.STEPS]

st.html(STYLE)
with st.container(key="t_lead"):
    st.title(tell("page.title"), anchor=False)
    prose(tell("page.lead"))
with st.container(horizontal=True, vertical_alignment="center"):
    with st.popover(tell("page.measure_with"), icon=":material/memory:"):
        device = st.segmented_control(
            tell("page.device"),
            devices(),
            default="cpu",
            key="t_device",
            required=True,
            persist_state="session",
        )
        dtype = st.segmented_control(
            tell("page.precision"),
            dtypes(device),
            default="float32",
            key="t_dtype",
            required=True,
            persist_state="session",
        )
        threads = st.segmented_control(
            tell("page.threads"),
            sorted({1, max(1, cores() // 2), cores()}),
            default=1,
            key="t_threads",
            disabled=device != "cpu",
            required=True,
            persist_state="session",
        )
    setting = Setting(card().name, config, kept_ids, device, dtype, threads)
    st.caption(words.machine_line(setting.hardware, setting.name, setting.dtype))
lab = show.Lab(setting, tokenizer(setting.name), len(ids))

show.race(lab)

st.header(tell("sweep.title"), anchor="sweep")
prose(tell("sweep.text"))
show.sweep(lab)

st.header(tell("scale.title"), anchor="scale")
prose(tell("scale.text"))
show.scale()
show.why()

st.header(tell("agreement.title"), anchor="precision")
prose(tell("agreement.text"))
show.agreement(lab)
