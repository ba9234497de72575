"""The status and the body of every refusal.

A body names what is wrong by its location. It never repeats what was sent, which may not even be valid JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.api.answers import ErrorAnswer, ErrorBody, ErrorDetail
from serving.errors import (
    MAX_DETAILS,
    BodyTimeout,
    BodyTooLarge,
    Busy,
    EventsNotStored,
    InvalidRequest,
    ItemsNotStored,
    Location,
    NotExplainable,
    NotReady,
    Overloaded,
    Problem,
    ServingError,
    UnknownItem,
    WrongContentType,
    WrongEncoding,
)

MAX_NAME_LENGTH = 100
RETRY_AFTER_S = "1"
STATUS: dict[type[ServingError], tuple[int, str]] = {
    InvalidRequest: (422, "invalid_request"),
    UnknownItem: (404, "unknown_item"),
    BodyTooLarge: (413, "body_too_large"),
    WrongContentType: (415, "wrong_content_type"),
    WrongEncoding: (415, "wrong_content_encoding"),
    BodyTimeout: (408, "body_timeout"),
    NotExplainable: (409, "not_explainable"),
    Busy: (503, "busy"),
    Overloaded: (503, "overloaded"),
    EventsNotStored: (503, "events_not_kept"),
    ItemsNotStored: (503, "items_not_kept"),
    NotReady: (503, "not_ready"),
}

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Give every error of ``app`` its status and the body of :class:`ErrorAnswer`."""

    @app.exception_handler(ServingError)
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, ServingError)
        return answer_of(error)

    @app.exception_handler(ClientDisconnect)
    async def disconnected(_: Request, error: Exception) -> Response:
        return Response(status_code=400)  # the client has disconnected and does not read this

    @app.exception_handler(HTTPException)
    async def no_such_route(_: Request, error: HTTPException) -> Response:
        answer = _answer(error.status_code, "http_error", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return _answer(500, "internal_error", "the scorer failed; see its log")


def answer_of(error: ServingError) -> Response:
    """With ``retry-after`` where the same request may succeed later, and the connection closed where its body was not
    read to its end."""
    status, kind = STATUS[type(error)]
    answer = _answer(status, kind, str(error), error.problems)
    if status == 503:
        answer.headers["retry-after"] = RETRY_AFTER_S
    if isinstance(error, WrongEncoding):
        answer.headers["accept-encoding"] = "gzip"
    if isinstance(error, BodyTimeout | BodyTooLarge):
        answer.headers["connection"] = "close"
    return answer


def _answer(status: int, kind: str, message: str, problems: Sequence[Problem] = ()) -> Response:
    details = tuple(ErrorDetail(_short(each.location), each.message) for each in problems[:MAX_DETAILS])
    body = orjson.dumps(ErrorAnswer(ErrorBody(kind, message, details)))
    return Response(body, status, media_type="application/json")


def _short(location: Location) -> Location:
    return tuple(part[:MAX_NAME_LENGTH] if isinstance(part, str) else part for part in location)
