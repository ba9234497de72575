"""Routes that FastAPI documents and does not serve.

On its way to an endpoint a request passes FastAPI's stacks, wrappers and routes, one after the other, which takes
time in every request and finds nothing in one whose endpoint reads and writes bytes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import errors
from serving.later import Later, Work

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
AFTERWARDS = "serving.afterwards"  # in the scope of a request


class DirectRoutes:
    """ASGI middleware: a POST to the path of one of ``routes`` goes straight to its endpoint, and nothing else does.

    Refusals are answered as everywhere (:mod:`serving.errors`); any other exception is passed on to the app's.
    """

    def __init__(self, app: ASGIApp, routes: dict[str, APIRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # as FastAPI tells who counts
        waiting: list[Work] = []
        scope[AFTERWARDS] = waiting
        try:
            try:
                response: Response = await route.endpoint(Request(scope, receive))
            except errors.REFUSALS as error:
                response = errors.answer_to(error)
            await response(scope, receive, send)
        finally:
            del scope[AFTERWARDS]  # an idle connection keeps the scope, and must not keep the slate
            for work in waiting:
                work()


def afterwards(request: Request) -> Later:
    """What it takes is done when the answer to ``request``, which came by a direct route, is sent or cannot be."""
    later: Later = request.scope[AFTERWARDS].append
    return later


def direct(app: FastAPI, routes: dict[str, APIRoute], path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
    """Decorates the endpoint of POST ``path`` and adds its route to ``routes``. ``documented``: what the OpenAPI
    document says of it; nothing is enforced."""

    def add(endpoint: Endpoint) -> Endpoint:
        app.post(path, response_class=Response, **documented)(endpoint)
        routes[path] = cast(APIRoute, app.routes[-1])
        return endpoint

    return add
