"""What stands between the app and the internet: which names it answers to, and what a page may load and do.

    EXPLAINER_HOSTS    names the app is reached by, besides localhost: kv.example.org, *.example.org, or *
    EXPLAINER_FRAMES   sites whose pages may show it in a frame: https://lms.example.org, or *
    EXPLAINER_METRICS  1: answer /_stcore/metrics, which counts sessions and caches

Several are parted by spaces or commas. docs/operating.md tells an operator the rest.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from streamlit.runtime import Runtime

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Bytes that a browser may send in one message: a prompt of the longest has 40,000.
LONGEST_MESSAGE = 1_000_000
#: Files that one session may have uploaded and not taken back. The page that takes one keeps one.
MOST_UPLOADS = 5

_INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[?[0-9a-f:.]+\]?")
_FRAME = re.compile(r"\*|(https?://)?(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:(\d+|\*))?")


@dataclass(frozen=True)
class Rules:
    """What the operator has said."""

    hosts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    metrics: bool = False

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Rules":
        """Raises `ValueError`, with what is wrong, for a name that is none."""
        return cls(
            _listed(environment, "EXPLAINER_HOSTS", _HOST, "a name such as kv.example.org"),
            _listed(environment, "EXPLAINER_FRAMES", _FRAME, "a site such as https://lms.example.org"),
            environment.get("EXPLAINER_METRICS", "") == "1",
        )

    def answers_to(self, host: str, own: str = "") -> bool:
        """Whether a request for `host`, a `Host` header, is meant for this server.

        `own` is the address the connection was made to. Whoever has it in the address line has typed it:
        no foreign name leads there.
        """
        name = hostname(host)
        return bool(name) and (
            name in ("localhost", "127.0.0.1", "::1", own)
            or any(
                named in ("*", name) or (named.startswith("*.") and name.endswith(named[1:]))
                for named in self.hosts
            )
        )


def hostname(host: str) -> str:
    """The name in a `Host` header, without its port; empty where it has none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _listed(environment: Mapping[str, str], key: str, kind: re.Pattern[str], such: str) -> tuple[str, ...]:
    given = environment.get(key, "").lower().replace(",", " ").split()
    for one in given:
        if not kind.fullmatch(one):
            raise ValueError(f"{key} has {one!r}, which is not {such}.")
    return tuple(one.strip("[]") for one in given)


# ---- headers ---------------------------------------------------------------------------------------------


def headers(rules: Rules) -> dict[str, str]:
    """What every answer says to the browser: load nothing from elsewhere, be shown nowhere else."""
    inline = re.findall(r"<script>(.*?)</script>", _INDEX.read_text(encoding="utf-8"), re.DOTALL)
    hashes = (f"'sha256-{b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in inline)
    policy = {
        "default-src": "'none'",
        # Streamlit's frontend reads whole numbers of 64 bits with a little WebAssembly; no text becomes code.
        "script-src": " ".join(["'self'", "'wasm-unsafe-eval'", *hashes]),
        # Streamlit and the charts write styles while they draw.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "media-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self' blob:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(["'self'", *rules.frames]),
    }
    found = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        # The address holds what the learner has typed.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if not rules.frames:  # older browsers know no other way to say it, and no list
        found["X-Frame-Options"] = "SAMEORIGIN"
    return found


# ---- who is answered -------------------------------------------------------------------------------------


class Front:
    """Every request comes through here first, and every answer takes the headers along."""

    def __init__(self, app: App, rules: Rules) -> None:
        self.app = app
        self.rules = rules
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers(rules).items()]

    @classmethod
    def middleware(cls, rules: Rules) -> Middleware:
        return Middleware(cls, rules=rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            if self._misses(scope) or self._is_foreign(scope):
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self.app(scope, _bounded(receive, send), send)
        elif scope["type"] == "http":
            refusal = self._misses(scope) or self._refused(scope)
            await (refusal or self.app)(scope, receive, self._with_headers(send))
        else:
            await self.app(scope, receive, send)

    def _with_headers(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message.get("headers", ())}
                more = [(name, value) for name, value in self._headers if name not in said]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        return sent

    def _misses(self, scope: Scope) -> Response | None:
        """A foreign name can be made to point here, so that its pages may ask for ours."""
        own = (scope.get("server") or ("",))[0]
        if self.rules.answers_to(Headers(scope=scope).get("host", ""), own):
            return None
        told = "This server does not answer to that name. Its operator can add it to EXPLAINER_HOSTS.\n"
        return PlainTextResponse(told, 400)

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a page of another site has opened this connection."""
        said = Headers(scope=scope)
        if (origin := said.get("origin")) is None:  # no browser
            return False
        name = hostname(urlsplit(origin).netloc)
        return name != hostname(said.get("host", "")) and not self.rules.answers_to(name)

    def _refused(self, scope: Scope) -> Response | None:
        path = scope.get("path", "")
        if scope["method"] == "POST" and self._is_foreign(scope):
            return PlainTextResponse("A page of another site cannot send this.", 403)
        if path.endswith("/_stcore/metrics") and not self.rules.metrics:
            return PlainTextResponse("not found", 404)
        if scope["method"] == "PUT" and (found := re.search(r"/_stcore/upload_file/([^/]+)/", path)):
            kept = Runtime.instance().uploaded_file_mgr.file_storage.get(found[1], {})  # type: ignore[attr-defined]
            if len(kept) >= MOST_UPLOADS:
                return PlainTextResponse(f"At most {MOST_UPLOADS} files at a time; take one back first.", 413)
        return None


def _bounded(receive: Receive, send: Send) -> Receive:
    """The same messages; one longer than any page sends ends the connection with the code for that."""

    async def received() -> Message:
        message = await receive()
        if len(message.get("bytes") or message.get("text") or b"") > LONGEST_MESSAGE:
            await send({"type": "websocket.close", "code": 1009, "reason": "The message is too long."})
            return {"type": "websocket.disconnect", "code": 1009}
        return message

    return received


def on_error(rules: Rules) -> Callable[[Request, Exception], Response]:
    """The answer where a route fails: that it did, and nothing of where or how; the log has that."""
    said = headers(rules)

    def failed(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("The server could not answer this.", 500, said)

    return failed
