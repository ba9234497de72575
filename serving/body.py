"""Reading a request's body and deadline within their limits."""

from __future__ import annotations

from fastapi import Request

from serving.errors import BodyTooLarge, InvalidRequest, Problem, WrongContentType

JSON = "application/json"
DEADLINE = "x-deadline-ms"
LONGEST_DEADLINE_MS = 60_000


async def json_body(request: Request, most_bytes: int) -> bytes:
    """Raises WrongContentType or BodyTooLarge; a body of unknown length is cut off where it exceeds the limit."""
    headers = dict(request.scope["headers"][::-1])  # ASGI has their names in lower case; of two the first counts
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != JSON.encode():
        raise WrongContentType(f"send the body as {JSON} (header content-type)")
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(body)


def deadline_ms(request: Request, default: int) -> int:
    """Of the header, where there is one. Raises InvalidRequest."""
    sent = request.headers.get(DEADLINE)
    if sent is None:
        return default
    is_number = sent.isascii() and sent.isdecimal() and len(sent) <= len(str(LONGEST_DEADLINE_MS))
    if not (is_number and 1 <= int(sent) <= LONGEST_DEADLINE_MS):
        message = f"must be a whole number of milliseconds from 1 to {LONGEST_DEADLINE_MS}"
        raise InvalidRequest([Problem(("header", DEADLINE), message)])
    return int(sent)


def _too_large(most_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"a body may have {most_bytes} bytes at most")
