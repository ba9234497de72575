"""What a request can be refused with, and the status of each.

ApiError
├── BadRequest(place, problem)   422: the body says something that the model cannot take
├── BodyTooLarge                 413
└── NotReady(reasons)            503: no model, or one whose contract is not this scorer's
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException


class ApiError(Exception):
    status = 500
    kind = "error"

    def __init__(self, message: str, details: Sequence[tuple[tuple[str | int, ...], str]] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(ApiError):
    status, kind = 422, "invalid_request"

    def __init__(self, place: tuple[str | int, ...], problem: str) -> None:
        super().__init__("the request is not valid", [(("body", *place), problem)])


class BodyTooLarge(ApiError):
    status, kind = 413, "body_too_large"


class NotReady(ApiError):
    status, kind = 503, "not_ready"


class Problem(BaseModel):
    """One thing that is wrong, and where in the body."""

    loc: list[str | int]
    message: str


class ErrorBody(BaseModel):
    type: str
    message: str
    details: list[Problem]


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorBody


def respond(error: ApiError) -> Response:
    return _answer(error.status, error.kind, error.message, error.details)


def _answer(status: int, kind: str, message: str, details: Sequence[tuple[Sequence[Any], str]] = ()) -> Response:
    """Never echoes the input, which may not be valid JSON; escapes what is not ASCII."""
    body = {
        "error": {
            "type": kind,
            "message": message,
            "details": [{"loc": [_part(p) for p in place], "message": problem} for place, problem in details],
        }
    }
    return Response(json.dumps(body), status_code=status, media_type="application/json")


def _part(part: Any) -> str | int:
    return part if isinstance(part, int) else str(part).encode("utf-8", "backslashreplace").decode()[:200]


def install(app: FastAPI) -> None:
    """Map every error to its status, in one place."""

    @app.exception_handler(ApiError)
    def _api(_: Request, error: ApiError) -> Response:
        return respond(error)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> Response:
        details = [(each["loc"], str(each["msg"])) for each in error.errors()[:50]]
        return _answer(422, "invalid_request", "the request is not valid", details)

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> Response:
        answer = _answer(error.status_code, "http_error", str(error.detail))
        answer.headers.update(error.headers or {})
        return answer
