"""One endpoint of the API: how it is served, and how it is documented."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import Route

from serving.api.middleware.admission import Admission

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Documented = dict[int | str, dict[str, Any]]


@dataclass(frozen=True)
class Endpoint:
    """``handler`` reads and writes bytes itself, so Starlette's plain route serves it.

    ``admission``: where its requests have a deadline. ``status``, ``answers`` and ``extra`` only document it. The
    docstring of ``handler`` is its description.
    """

    method: str
    path: str
    handler: Handler
    admission: Admission | None = None
    status: int = 200
    answers: Documented = field(default_factory=dict)
    answer_class: type[Response] = Response
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def parameter(self) -> str | None:
        """The name of the parameter that ends the path."""
        return self.path.split("{")[1].removesuffix("}") if "{" in self.path else None

    @property
    def route(self) -> Route:
        """An id in a path may hold slashes."""
        return Route(self.path.replace("}", ":path}"), self.handler, methods=[self.method])

    @property
    def documentation(self) -> APIRoute:
        """A route that is never served: FastAPI makes the OpenAPI document from it."""

        async def undescribed() -> None: ...

        undescribed.__name__ = self.handler.__name__
        undescribed.__doc__ = self.handler.__doc__
        return APIRoute(
            self.path,
            undescribed,
            methods=[self.method],
            status_code=self.status,
            responses=self.answers,
            response_class=self.answer_class,
            openapi_extra=self.extra,
        )
