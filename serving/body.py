"""Reading a request's body and deadline within their limits."""

from __future__ import annotations

from fastapi import Request

from serving.errors import BodyTooLarge, InvalidRequest, Problem, WrongContentType

JSON = "application/json"
DEADLINE = "x-deadline-ms"
LONGEST_DEADLINE_MS = 60_000


async def json_body(request: Request, most_bytes: int) -> bytes:
    """Raises WrongContentType or BodyTooLarge; a body of unknown length is cut off where it exceeds the limit."""
    if (_header(request, "content-type") or "").split(";")[0].strip().lower() != JSON:
        raise WrongContentType(f"send the body as {JSON} (header content-type)")
    announced = _header(request, "content-length") or ""
    if announced.isdecimal() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(body)


def deadline_ms(request: Request, default: int) -> int:
    """Of the header, where there is one. Raises InvalidRequest."""
    sent = _header(request, DEADLINE)
    if sent is None:
        return default
    is_number = sent.isascii() and sent.isdecimal() and len(sent) <= len(str(LONGEST_DEADLINE_MS))
    if not (is_number and 1 <= int(sent) <= LONGEST_DEADLINE_MS):
        message = f"must be a whole number of milliseconds from 1 to {LONGEST_DEADLINE_MS}"
        raise InvalidRequest([Problem(("header", DEADLINE), message)])
    return int(sent)


def _header(request: Request, name: str) -> str | None:
    """The first of this name, which is in lower case as ASGI has it."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == wanted), None)


def _too_large(most_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"a body may have {most_bytes} bytes at most")
