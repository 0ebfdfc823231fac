"""A server of rooms and nothing else: it starts at once, so that a test can have several, and kill one."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from explainer.public import Front, Rules
from explainer.rooms.hub import Hub
from explainer.rooms.routes import routes

hub = Hub.read(os.environ)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with hub.running():
        yield


async def health(_request: Request) -> Response:
    return PlainTextResponse("ok")


app = Starlette(
    routes=[*routes(hub), Route("/_stcore/health", health)],
    middleware=[Front.middleware(Rules())],
    lifespan=lifespan,
)
