"""Routes that FastAPI documents and does not wrap."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoute(APIRoute):
    """Sends what its endpoint returns.

    What FastAPI does around an endpoint (dependencies, models) takes a tenth of a millisecond, and these endpoints
    leave nothing for it to do. Errors go to the app's handlers as ever.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await cast(Endpoint, self.endpoint)(Request(scope, receive, send))
        await response(scope, receive, send)


def direct(app: FastAPI, path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
    """Decorates the endpoint of POST ``path``. ``documented``: as for ``app.post``."""

    def add(endpoint: Endpoint) -> Endpoint:
        app.router.add_api_route(
            path, endpoint, methods=["POST"], response_class=Response, route_class_override=DirectRoute, **documented
        )
        return endpoint

    return add
