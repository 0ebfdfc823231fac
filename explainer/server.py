"""What the server does around the pages: warm up, collect garbage now and then, and answer for operands.

Operands are what a cell was computed from and is not drawn itself: weights, hidden rows, angles. A scene
fetches them when somebody first asks how a cell came about, so that no page has to carry them.
"""

import asyncio
import gc
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import Runtime, app_session
from streamlit.runtime.scriptrunner_utils import script_run_context
from streamlit.testing.v1 import AppTest

from explainer.ahead import page
from explainer.avoided_work.scene import operands as compared_operands
from explainer.code.scene import wording as of_code
from explainer.kit.cache import RECOMPUTATIONS, WALKS, cards, further, model
from explainer.kit.encode import pack
from explainer.kit.proving import PROOFS
from explainer.kit.wording import Wording, packed
from explainer.walkthrough.scene import found, hidden_rows, words
from explainer.why_k_and_v.scene import wording as of_why_k_and_v
from kvengine import KVEngineError, ModelCard, Transformer

#: Seconds between two collections. Streamlit's own, after every run, took half of a class's time
#: (`runner.postScriptGC` in .streamlit/config.toml turns it off).
COLLECT_EVERY = 5.0

#: Seconds that a browser keeps what never changes under its address.
YEAR = 365 * 24 * 3600

NO_MODEL = "There is no model of this name."

#: By page, what its scene says whatever run it shows.
WORDINGS: Mapping[str, Wording] = {"why_k_and_v": of_why_k_and_v, "code": of_code}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


# ---- warm-up and garbage ---------------------------------------------------------------------------------


def warm_up(frame: Path) -> None:
    """Run the first page once, and the one it leads to, as a visitor would: modules, the model and what the
    pages show of the default prompt are there from then on."""
    # One token through a small model is too little work to share between cores.
    torch.set_num_threads(1)
    page("/")
    runtime = Runtime._instance
    # AppTest keeps its state outside of a run, and Streamlit would warn of that in the log.
    warns = logging.getLogger(script_run_context.__name__)
    warns.disabled = True
    try:
        visit = AppTest.from_file(str(frame), default_timeout=60).run()
        visit.switch_page(str(frame.parent.parent / "pages" / "walkthrough.py")).run()
    finally:
        Runtime._instance = runtime  # AppTest puts one of its own in its place
        warns.disabled = False


def keep_theme() -> None:
    """Have Streamlit put its theme together once, since nothing of it changes while the server runs.

    It does so at every run of every visitor, which took a tenth of the run's time.
    """
    put_together = app_session._populate_theme_msg

    @cache
    def ready(section: str) -> CustomThemeConfig:
        message = CustomThemeConfig()
        put_together(message, section)
        return message

    def populate(msg: CustomThemeConfig, section: str = "theme") -> None:
        if ready(section).ByteSize():
            msg.MergeFrom(ready(section))

    app_session._populate_theme_msg = populate


async def collect_now_and_then() -> None:
    """Collect garbage every few seconds, however many runs there are in between."""
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        gc.collect()


# ---- operands --------------------------------------------------------------------------------------------


def routes() -> list[Route]:
    return [
        Route("/notes", _notes),
        Route("/operands/words/{name}", _words),
        Route("/operands/wording/{page}", _wording),
        Route("/operands/weights/{name}/{layer:int}", _weights),
        Route("/operands/walk/{key}/{layer:int}/{rows:int}", _walk),
        Route("/proofs/{key}", _proofs),
        Route("/operands/recomputation/{key}/{layer:int}", _recomputation),
    ]


def weights_of(model: Transformer, layer: int) -> dict[str, np.ndarray]:
    """The weights of one layer as a cell's arithmetic names them: wq, wk, wv apart; a row for each output.

    Biases and norms of the heads are among them where the model has them.
    """
    config, w = model.config, model.weights.layers[layer]
    width, kv_width = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    wq, wk, wv = w.wqkv.split([width, kv_width, kv_width])
    tensors = {
        "wq": wq,
        "wk": wk,
        "wv": wv,
        "wo": w.wo,
        "w_down": w.w_down,
        "attn_norm": w.attn_norm,
        "ffn_norm_weight": w.ffn_norm,
        "final_norm": model.weights.norm,
    }
    if w.bqkv is not None:
        tensors |= dict(zip(("bq", "bk", "bv"), w.bqkv.split([width, kv_width, kv_width]), strict=True))
    if w.q_norm is not None and w.k_norm is not None:
        tensors |= {"q_norm": w.q_norm, "k_norm": w.k_norm, "norm_eps": model.sqrt_eps[None] ** 2}
    return {name: tensor.float().numpy(force=True) for name, tensor in tensors.items()}


async def _notes(_request: Request) -> Response:
    """The window with the speaker's notes; what it shows it is told by the window that presents."""
    return FileResponse(Path(__file__).parent / "web" / "notes.html")


async def _words(request: Request) -> Response:
    """What the walkthrough says with this model; its address changes with it."""
    card = _card(request)
    return _arrays(words(card.config), seconds=YEAR) if card else PlainTextResponse(NO_MODEL, 404)


def _card(request: Request) -> ModelCard | None:
    """One of the models that can be chosen: no directory is opened by a name that somebody sends."""
    return next((card for card in (*cards(), *further()) if card.name == request.path_params["name"]), None)


async def _wording(request: Request) -> Response:
    """What a page says whatever it shows."""
    said = WORDINGS.get(request.path_params["page"])
    if said is None:
        return PlainTextResponse("There is no wording of this page.", 404)
    return _answer(packed(said), seconds=YEAR)


async def _weights(request: Request) -> Response:
    card, layer = _card(request), request.path_params["layer"]
    if card is None:
        return PlainTextResponse(NO_MODEL, 404)
    try:
        found = await asyncio.to_thread(model, card.name)
    except KVEngineError as error:
        return PlainTextResponse(str(error), 404)
    if layer >= found.config.n_layers:
        return PlainTextResponse(f"The layers are 0 to {found.config.n_layers - 1}.", 404)
    return _arrays(weights_of(found, layer), seconds=3600)


async def _walk(request: Request) -> Response:
    walk = WALKS.peek(request.path_params["key"])
    layer, rows = request.path_params["layer"], request.path_params["rows"]
    if walk is None or layer >= walk.model.config.n_layers:
        return PlainTextResponse("This walk is no longer kept; step on, and it is recorded again.", 404)
    return _arrays(hidden_rows(walk.record(0), layer, rows), seconds=600)


async def _proofs(request: Request) -> Response:
    """What of a walk is proved, by position; to ask for it is to want the rest proved as well."""
    key = request.path_params["key"]
    walk = WALKS.peek(key)
    ahead = PROOFS.look(key, walk) if walk else None
    proofs = {position: found(proof) for position, proof in walk.proofs.items()} if walk else {}
    answer = {"proofs": proofs, "ahead": ahead, "given_up": ahead is None}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


async def _recomputation(request: Request) -> Response:
    kept = RECOMPUTATIONS.peek(request.path_params["key"])
    layer = request.path_params["layer"]
    if kept is None or layer >= kept.model.config.n_layers:
        return PlainTextResponse("This comparison is no longer kept; reload the page.", 404)
    return _arrays(compared_operands(kept.found, kept.model, layer), seconds=600)


def _arrays(arrays: Mapping[str, Any], *, seconds: int) -> Response:
    return _answer(pack(arrays), seconds=seconds)


def _answer(packed: bytes, *, seconds: int) -> Response:
    headers = {"Cache-Control": f"private, max-age={seconds}"}
    return Response(packed, media_type="application/octet-stream", headers=headers)


# ---- what is served --------------------------------------------------------------------------------------


class Guard:
    """Of the scenes' folder only scripts and styles are served; what a browser sends is mended where it is no
    text.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    @classmethod
    def middleware(cls) -> Middleware:
        return Middleware(cls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, _mended(receive), send)
            return
        path = scope["path"]
        if "/bidi-components/explainer." in path and not path.endswith((".js", ".css")):
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return
        await self.app(scope, receive, send)


#: Half of a surrogate pair, as JavaScript has it when a symbol was cut in two, in what should be UTF-8.
_HALF = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def _mended(receive: Receive) -> Receive:
    """The same messages, each half of a surrogate pair replaced by the sign for what cannot be shown.

    No text can hold one: Streamlit would end the connection, and lose what was typed.
    """

    async def received() -> MutableMapping[str, Any]:
        message = await receive()
        data = message.get("bytes")
        if data and _HALF.search(data) and not _readable(data):
            message["bytes"] = _HALF.sub("\N{REPLACEMENT CHARACTER}".encode(), data)  # three bytes, as before
        return message

    return received


def _readable(data: bytes) -> bool:
    try:
        BackMsg.FromString(data)
    except DecodeError:
        return False
    return True
