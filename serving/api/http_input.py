"""Reads a request's body and deadline within their limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from infra.limits import MAX_BODY_BYTES, MAX_DEADLINE_MS
from serving.errors import BodyTimeout, BodyTooLarge, InvalidRequest, Problem, WrongContentType

JSON = "application/json"
DEADLINE = "x-deadline-ms"


async def json_body(request: Request) -> bytes:
    """Reading stops where a body of unknown length exceeds the limit, and when the request's deadline is over.

    Raises WrongContentType, BodyTooLarge, BodyTimeout or ClientDisconnect.
    """
    headers = _headers(request.scope)
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != JSON.encode():
        raise WrongContentType(f"send the body as {JSON} (header content-type)")
    announced = headers.get(b"content-length", b"").decode("latin-1")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(request.state.deadline - time.monotonic()):
            return await _read(request)
    except TimeoutError:
        raise BodyTimeout("the body was not complete when the deadline was over") from None


async def _read(request: Request) -> bytes:
    chunks, size, is_whole = [], 0, False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY_BYTES:
            raise _too_large()
        is_whole = not message.get("more_body", False)
    return b"".join(chunks)


def deadline_ms(scope: MutableMapping[str, Any], default: int) -> int:
    """The value of the header, or ``default`` without one. Raises InvalidRequest."""
    raw = _headers(scope).get(DEADLINE.encode())
    if raw is None:
        return default
    sent = raw.decode("latin-1")
    is_number = sent.isascii() and sent.isdecimal() and len(sent) <= len(str(MAX_DEADLINE_MS))
    if not (is_number and 1 <= int(sent) <= MAX_DEADLINE_MS):
        message = f"must be a whole number of milliseconds from 1 to {MAX_DEADLINE_MS}"
        raise InvalidRequest([Problem(("header", DEADLINE), message)])
    return int(sent)


def _headers(scope: MutableMapping[str, Any]) -> dict[bytes, bytes]:
    """Name, in lower case as ASGI has it -> the first header of this name."""
    return dict(reversed(scope["headers"]))


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the body has more than {MAX_BODY_BYTES} bytes")
