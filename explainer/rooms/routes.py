"""The rooms' routes: events go out, posts come in, and no script runs for either."""

import re
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import segno
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from explainer.kit.words import words_of
from explainer.rooms.hub import Hub
from explainer.rooms.room import MOST_BYTES, RefusedError, read_body, read_code

LONGEST_LINK = 300


def routes(hub: Hub) -> list[Route]:
    def posted(act: Callable[[str, dict[str, Any]], Awaitable[None]]) -> Any:
        async def answer(request: Request) -> Response:
            await act(read_code(request.path_params["code"]), read_body(await _body(request)))
            return Response(status_code=204)

        return _told(answer)

    async def make(request: Request) -> Response:
        await _body(request)
        return JSONResponse(await hub.make(), 201)

    async def events(request: Request) -> Response:
        asked = request.query_params
        code = read_code(request.path_params["code"])
        stream = await hub.follow(code, asked.get("device"), asked.get("secret"))
        # A proxy is to pass on each event as it comes.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, headers=headers, media_type="text/event-stream")

    async def join(_request: Request) -> Response:
        return FileResponse(Path(__file__).with_name("join.html"))

    async def words(_request: Request) -> Response:
        return JSONResponse(words_of(Path(__file__).with_name("words.toml")))

    return [
        Route("/join", join),
        Route("/rooms/words", words),
        Route("/rooms", _told(make), methods=["POST"]),
        Route("/rooms/{code}/events", _told(events)),
        Route("/rooms/{code}/qr.svg", _told(_qr)),
        Route("/rooms/{code}/place", posted(hub.show), methods=["POST"]),
        Route("/rooms/{code}/vote", posted(hub.vote), methods=["POST"]),
        Route("/rooms/{code}/here", posted(hub.explore), methods=["POST"]),
        Route("/rooms/{code}/close", posted(hub.close), methods=["POST"]),
    ]


async def _qr(request: Request) -> Response:
    """The link to a room as a picture. It leads to this server and nowhere else."""
    code, at = read_code(request.path_params["code"]), request.query_params.get("at", "")
    if not re.fullmatch(f"https?://{re.escape(request.headers.get('host', ''))}/[^?#]*", at):
        raise RefusedError(400, "The link is not one to this server.")
    if len(at) > LONGEST_LINK:
        raise RefusedError(400, "The link is too long.")
    drawn = BytesIO()
    segno.make(f"{at}?room={code}", error="m").save(
        drawn, kind="svg", border=2, scale=8, light="#fff", dark="#000", xmldecl=False
    )
    return Response(drawn.getvalue(), media_type="image/svg+xml")


def _told(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A sentence for what is refused."""

    async def answered(request: Request) -> Response:
        try:
            return await answer(request)
        except RefusedError as refused:
            return PlainTextResponse(str(refused), refused.status)
        except ClientDisconnect:
            return Response(status_code=400)

    return answered


async def _body(request: Request) -> bytes:
    """What was posted, as JSON: a form of another site cannot send that. No more of it than a room takes."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise RefusedError(415, "A room is told things as application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            break
    return body
