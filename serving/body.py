"""Reading a request's body within its limits."""

from __future__ import annotations

from fastapi import Request

from serving.errors import BodyTooLarge, WrongContentType

JSON = "application/json"


async def json_body(request: Request, most_bytes: int) -> bytes:
    """Raises WrongContentType or BodyTooLarge; a body of unknown length is cut off where it exceeds the limit."""
    content_type = request.headers.get("content-type", "")
    if content_type.split(";")[0].strip().lower() != JSON:
        raise WrongContentType(f"send the body as {JSON} (header content-type)")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(body)


def _too_large(most_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"a body may have {most_bytes} bytes at most")
