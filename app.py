"""The app as a server: `streamlit run app.py` starts it. What a visitor sees is `explainer/frame.py`."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from explainer.files import Files
from explainer.public import Front, Rules, on_error
from explainer.rooms import routes as rooms
from explainer.rooms.hub import Hub
from explainer.server import Guard, collect_now_and_then, keep_theme, routes, warm_up

FRAME = Path(__file__).parent / "explainer" / "frame.py"


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Before the first visitor: import torch, load the default model, run a page once, and freeze all that.

    What lives as long as the server then costs no collection of garbage any more.
    """
    await asyncio.to_thread(warm_up, FRAME)
    gc.collect()
    gc.freeze()
    collecting = asyncio.create_task(collect_now_and_then())
    async with hub.running():
        yield {}
    collecting.cancel()


keep_theme()
rules = Rules.read(os.environ)
hub = Hub.read(os.environ)
app = st.App(
    FRAME,
    lifespan=lifespan,
    routes=[*routes(), *rooms.routes(hub)],
    middleware=[Front.middleware(rules), Guard.middleware(), Files.middleware()],
    exception_handlers={Exception: on_error(rules)},
)
