"""Routes that FastAPI documents and does not wrap."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class DirectRoute(APIRoute):
    """Sends what its endpoint returns.

    FastAPI would look for dependencies and for models to check and to fill, which takes time in every request; these
    endpoints leave nothing to be found. Errors go to the app's handlers as ever.
    """

    def get_route_handler(self) -> Endpoint:
        return cast(Endpoint, self.endpoint)


def direct(app: FastAPI, path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
    """Decorates the endpoint of POST ``path``. ``documented``: what the OpenAPI document says of it; nothing is
    enforced."""

    def add(endpoint: Endpoint) -> Endpoint:
        app.router.add_api_route(
            path, endpoint, methods=["POST"], response_class=Response, route_class_override=DirectRoute, **documented
        )
        app.router.routes.insert(0, app.router.routes.pop())  # a request is compared with one route after the other
        return endpoint

    return add
