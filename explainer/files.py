"""What no run changes, sent compressed and from memory: HTML, Streamlit's frontend, and the scenes' files.

Streamlit reads each from the disk for each visitor and sends it as it is, 3 MB for a page.
What is not answered here, it answers.
"""

import asyncio
import gzip
from collections.abc import Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import streamlit
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from explainer.ahead import page

_APP = Path(__file__).parent
_STREAMLIT = Path(streamlit.__file__).parent / "static" / "static"
_KINDS = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}

#: Streamlit names a file anew when it changes: a browser need not ask for it again. For ours it asks again.
_STREAMLITS, _OURS = "public, immutable, max-age=31536000", "no-cache"


class Files:
    """Answers a browser that takes compressed files. A path is looked up among those that are there: no file
    is opened by a name that somebody sends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._packed: dict[str, tuple[int, Response]] = {}  # with the time of the file's last change

    @classmethod
    def middleware(cls) -> Middleware:
        return Middleware(cls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope) if scope["type"] == "http" else None
        await (answer or self.app)(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        asked, path = Headers(scope=scope), scope["path"]
        if scope["method"] != "GET" or "gzip" not in asked.get("accept-encoding", ""):
            return None
        file, html = self._files.get(path), page(path)
        if not file and not html:
            return None
        changed = file.stat().st_mtime_ns if file else 0
        kept = self._packed.get(path)
        if not kept or kept[0] != changed:
            packed = await asyncio.to_thread(_file, file) if file else _pack(html or b"", "text/html", _OURS)
            kept = self._packed[path] = changed, packed
        answer = kept[1]
        if asked.get("if-none-match") == answer.headers["etag"]:
            return Response(status_code=304, headers={"ETag": answer.headers["etag"]})
        return answer

    @cached_property
    def _files(self) -> Mapping[str, Path]:
        """The files by the paths of their addresses."""
        theirs = {f"/static/{name}": file for name, file in _below(_STREAMLIT)}
        ours = {
            f"/_stcore/bidi-components/{component}/{name}": file
            for name, file in _below(_APP)
            for component in ("explainer.scene", "explainer.bar")
        }
        return theirs | ours


def _below(folder: Path) -> list[tuple[str, Path]]:
    return [
        (file.relative_to(folder).as_posix(), file) for file in folder.rglob("*.*") if file.suffix in _KINDS
    ]


def _file(file: Path) -> Response:
    caching = _OURS if file.is_relative_to(_APP) else _STREAMLITS
    return _pack(file.read_bytes(), _KINDS[file.suffix], caching)


def _pack(body: bytes, kind: str, caching: str) -> Response:
    headers = {
        "Cache-Control": caching,
        "ETag": f'"{blake2b(body, digest_size=12).hexdigest()}"',
        "Vary": "Accept-Encoding",
    }
    if not kind.startswith("font/"):  # compressed as they are
        body = gzip.compress(body, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=kind)
