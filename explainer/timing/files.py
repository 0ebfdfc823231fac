"""The numbers of a sweep: as a table, as files, and a recorded run to lay over it."""

from collections.abc import Sequence

import streamlit as st

from explainer.kit.runs import Measured
from explainer.kit.sheet import to_csv
from explainer.kit.words import plain
from explainer.timing.words import tell
from kvengine.errors import KVEngineError
from kvengine.recording import from_json, table, to_json
from kvengine.timing import Row


def show_files(found: Measured, rows: Sequence[Row]) -> None:
    setting = found.setting
    lines = table(setting.config, rows, setting.bytes_per_float)
    recorded = to_json(setting.provenance(found.when), rows)
    with st.expander(tell("files.title"), key="t_numbers"):
        st.dataframe(lines, hide_index=True)
        with st.container(horizontal=True):
            st.download_button(
                tell("files.csv"), to_csv(lines), "timing.csv", "text/csv", icon=":material/download:"
            )
            st.download_button(
                tell("files.json"),
                recorded,
                "timing.json",
                "application/json",
                icon=":material/download:",
            )
            st.button(tell("files.keep"), on_click=_keep, args=(recorded,), key="t_keep")
            if st.session_state.get("timing_kept"):
                st.button(tell("files.forget"), on_click=_keep, key="t_forget")
        st.markdown(tell("files.text"))
        _uploaded()


def _uploaded() -> None:
    """A run from a file, else the one that was kept, is laid over; what is wrong with a file is told."""
    uploaded = st.file_uploader(
        tell("files.upload"), type="json", key="t_upload", on_change=_keep, max_upload_size=1
    )
    try:
        recording = from_json(uploaded.getvalue()) if uploaded else st.session_state.get("timing_kept")
    except KVEngineError as error:
        recording = None
        st.error(plain(str(error)), icon=":material/error:")
    if recording != st.session_state.get("timing_recording"):
        st.session_state["timing_recording"] = recording
        st.rerun()


def _keep(recorded: str = "") -> None:
    st.session_state["timing_kept"] = from_json(recorded.encode()) if recorded else None
