"""MLflow's scoring app, with errors that a caller can read.

MLflow answers a bad request with the whole stack trace, and a request without a content type with 500.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import mlflow
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.pyfunc import scoring_server
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_CONTENT_TYPE = {"error_code": "BAD_REQUEST", "message": "the header content-type is missing: send application/json"}


def create_app(folder: str) -> ASGIApp:
    """The app of the model in ``folder``, which must be trusted, because its code is run."""
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # its warnings log each refused request
    return ReadableErrors(scoring_server.init(mlflow.pyfunc.load_model(folder)))


class ReadableErrors:
    """An app around an app: it removes all but ``error_code`` and ``message`` from error bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "POST" and not any(name == b"content-type" for name, _ in scope["headers"]):
            await _answer(send, 400, json.dumps(NO_CONTENT_TYPE).encode())
        else:
            await self._app(scope, receive, _ShortErrors(send))


class _ShortErrors:
    """A ``send`` that waits for the whole body of an error and shortens it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._error: int | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            self._error = message["status"]
        elif self._error is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await _answer(self._send, self._error, _without_trace(self._body))


def _without_trace(body: bytes) -> bytes:
    try:
        found: Any = json.loads(body)
        return json.dumps({"error_code": found["error_code"], "message": found["message"]}).encode()
    except (ValueError, KeyError, TypeError):
        return body


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
