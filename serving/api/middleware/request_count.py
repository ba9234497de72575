"""Middleware that counts requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.endpoint import Endpoint
from serving.api.endpoint_paths import EndpointPaths
from serving.metrics import Metrics


class CountRequests:
    """ASGI middleware: one count per request, by path of its endpoint (any other path is ``other``) and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics, endpoints: Sequence[Endpoint]) -> None:
        self._app = app
        self._metrics = metrics
        self._path_of: dict[Any, str] = {endpoint.handler: endpoint.path for endpoint in endpoints}
        self._paths = EndpointPaths([endpoint for endpoint in endpoints if endpoint.admission is not None])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            self._metrics.request(self._path(scope), status)

    def _path(self, scope: Scope) -> str:
        if "endpoint" in scope:
            return self._path_of.get(scope["endpoint"], "other")
        refused = self._paths.find(scope)  # before it was routed
        return "other" if refused is None else refused.path
