"""Lets pages of other origins send events: a browser asks first (CORS), or sends text/plain without asking."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_AGE_S = 3600


class AllowOrigins:
    """ASGI middleware for one ``path``: Starlette's CORSMiddleware.

    Credentials are allowed because ``navigator.sendBeacon`` always includes them. Nothing here reads them.
    """

    def __init__(self, app: ASGIApp, path: str, origins: Sequence[str]) -> None:
        self._app = app
        self._path = path
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["POST"],
            allow_headers=["content-type", "content-encoding", "x-deadline-ms"],
            expose_headers=["retry-after"],
            allow_credentials=True,
            max_age=MAX_AGE_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._cors if scope["type"] == "http" and scope["path"] == self._path else self._app
        await app(scope, receive, send)
