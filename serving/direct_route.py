"""Routes that FastAPI documents and, unless it traces requests, does not serve.

On its way to an endpoint a request passes FastAPI's stacks, wrappers and routes, one after the other, which takes
time in every request and finds nothing in one whose endpoint reads and writes bytes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from serving import errors
from serving.later import Later, Work, at_once

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
AFTERWARDS = "serving.afterwards"  # in the scope of a request


class DirectApp(FastAPI):
    """An app of which a POST to the path of a ``direct`` route goes straight to its endpoint, past all middleware.

    Refusals and faults are answered as everywhere (:mod:`serving.errors`). ``count`` is told path and status of each.
    Where FastAPI traces, these requests take its way like all others, and ``count`` hears nothing of them.
    """

    def __init__(self, count: Callable[[str, int], None], *, traced: bool = False, **documented: Any) -> None:
        super().__init__(telemetry={"tracing": traced, "metrics": traced, "logs": traced}, **documented)
        self._count = count
        self._is_traced = traced
        self._endpoints: dict[str, Endpoint] = {}

    def direct(self, path: str, **documented: Any) -> Callable[[Endpoint], Endpoint]:
        """Decorates the endpoint of POST ``path``. ``documented``: what the OpenAPI document says of it; nothing is
        enforced."""

        def add(endpoint: Endpoint) -> Endpoint:
            self.post(path, response_class=Response, **documented)(endpoint)
            if not self._is_traced:
                self._endpoints[path] = endpoint
            return endpoint

        return add

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        status = 500
        waiting: list[Work] = []
        scope[AFTERWARDS] = waiting.append
        try:
            try:
                response = await endpoint(Request(scope, receive))
            except errors.REFUSALS as error:
                response = errors.answer_to(error)
            except Exception as error:
                response = errors.fault(error)
            status = response.status_code
            await response(scope, receive, send)
        finally:
            del scope[AFTERWARDS]  # an idle connection keeps the scope, and must not keep the slate
            self._count(scope["path"], status)
            for work in waiting:
                work()


def afterwards(request: Request) -> Later:
    """What it takes is done when the answer to a direct ``request`` is sent or cannot be; of a traced one at once."""
    later: Later = request.scope.get(AFTERWARDS, at_once)
    return later
