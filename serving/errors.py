"""What a request can be refused for, and the status and body of each refusal.

    ServingError
    ├── InvalidRequest    422  the body is not JSON, not of the documented form, or names what is unknown
    ├── BodyTooLarge      413
    ├── WrongContentType  415
    ├── NotExplainable    409  the model in service is a baseline
    ├── Busy              503  others are being answered
    ├── EventsNotKept     503  the events' Redis is away or too slow
    └── NotReady          503  no model, or one that this scorer must refuse

What is wrong is named by its place; what was sent is never echoed, since it may not even be valid JSON.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.score.answers import ErrorAnswer, ErrorBody, ErrorDetail

Location = tuple[str | int, ...]

MAX_DETAILS = 20
MAX_NAME_LENGTH = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong; ``position`` leads from the body's root to it, and is () for the body itself."""

    position: Location
    message: str


class ServingError(Exception):
    """Base of every refusal."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class InvalidRequest(ServingError):
    """The body is not JSON, not of the documented form, or names what is unknown."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = f", the first {MAX_DETAILS} follow" if len(problems) > MAX_DETAILS else ""
        super().__init__(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the request{more}", problems)


class BodyTooLarge(ServingError):
    """More bytes than a request may have."""


class WrongContentType(ServingError):
    """Not application/json."""


class NotExplainable(ServingError):
    """The model in service is a baseline, whose scores are no sums."""


class Busy(ServingError):
    """Others are being answered, and the deadline is over."""


class EventsNotStored(ServingError):
    """The events' Redis is away or too slow. What was sent may be sent again: it counts once."""


class NotReady(ServingError):
    """No model, or one that this scorer must refuse."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("this scorer has no model in service", [Problem((), reason) for reason in reasons])


STATUS: dict[type[ServingError], tuple[int, str]] = {
    InvalidRequest: (422, "invalid_request"),
    BodyTooLarge: (413, "body_too_large"),
    WrongContentType: (415, "wrong_content_type"),
    NotExplainable: (409, "not_explainable"),
    Busy: (503, "busy"),
    EventsNotStored: (503, "events_not_kept"),
    NotReady: (503, "not_ready"),
}


REFUSALS = (ServingError, ClientDisconnect)


def answer_to(error: Exception) -> Response:
    """``error``: one of REFUSALS."""
    if not isinstance(error, ServingError):
        return Response(status_code=400)  # nobody is there to read it
    status, kind = STATUS[type(error)]
    return _answer(status, kind, str(error), error.problems)


def install(app: FastAPI) -> None:
    """Give every error of ``app`` its status and the body of :class:`ErrorAnswer`."""

    for kind in REFUSALS:

        @app.exception_handler(kind)
        async def refused(_: Request, error: Exception) -> Response:
            return answer_to(error)

    @app.exception_handler(HTTPException)
    async def no_such_route(_: Request, error: HTTPException) -> Response:
        answer = _answer(error.status_code, "http_error", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        return fault(error)


def fault(error: Exception) -> Response:
    """What nobody foresaw; it is logged."""
    log.error("a request failed", exc_info=error)
    return _answer(500, "internal_error", "the scorer failed; its log says more")


def _answer(status: int, kind: str, message: str, problems: Sequence[Problem] = ()) -> Response:
    details = tuple(ErrorDetail(_short(each.position), each.message) for each in problems[:MAX_DETAILS])
    body = orjson.dumps(ErrorAnswer(ErrorBody(kind, message, details)))
    return Response(body, status, media_type="application/json")


def _short(position: Location) -> Location:
    return tuple(part[:MAX_NAME_LENGTH] if isinstance(part, str) else part for part in position)
