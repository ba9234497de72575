"""Reads a request's body and deadline within their limits."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request

from infra.limits import MAX_BODY_BYTES, MAX_DEADLINE_MS
from serving.errors import BodyTimeout, BodyTooLarge, InvalidRequest, Problem, WrongContentType, WrongEncoding

JSON = "application/json"
DEADLINE = "x-deadline-ms"

Origins = Sequence[str]
"""Of pages, like ``https://shop.example``; ``*`` is any."""


async def json_body(request: Request, plain_text_of: Origins = ()) -> bytes:
    """The body, unpacked if it came as gzip.

    Reading stops where a body exceeds the limit, packed or unpacked, and when the request's deadline is over.
    ``plain_text_of``: origins whose pages may call JSON text/plain, as ``navigator.sendBeacon`` does.

    Raises WrongContentType, WrongEncoding, BodyTooLarge, BodyTimeout, InvalidRequest or ClientDisconnect.
    """
    headers = _headers(request.scope)
    content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if content_type != JSON.encode() and not (content_type == b"text/plain" and _may_send_text(headers, plain_text_of)):
        raise WrongContentType(f"send the body as {JSON} (header content-type)")
    unpack = _unpacking(headers.get(b"content-encoding", b""))
    announced = headers.get(b"content-length", b"").decode("latin-1")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(request.state.deadline - time.monotonic()):
            return await _read(request, unpack)
    except TimeoutError:
        raise BodyTimeout("the body was not complete when the deadline was over") from None


async def _read(request: Request, unpack: Gunzip | None) -> bytes:
    chunks, size, is_whole = [], 0, False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        chunks.append(chunk if unpack is None else unpack.feed(chunk, MAX_BODY_BYTES - size))
        size += len(chunks[-1])
        if size > MAX_BODY_BYTES:
            raise _too_large()
        is_whole = not message.get("more_body", False)
    if unpack is not None and not unpack.is_whole:
        raise _not_gzip()
    return b"".join(chunks)


class Gunzip:
    """One gzip stream, unpacked as it arrives. Raises InvalidRequest where it is not one."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def is_whole(self) -> bool:
        return self._stream.eof

    def feed(self, data: bytes, max_bytes: int) -> bytes:
        """At most one byte more than ``max_bytes``; then the rest is left packed."""
        try:
            unpacked = self._stream.decompress(data, max_bytes + 1)
        except zlib.error:
            raise _not_gzip() from None
        if self._stream.unused_data:
            raise _not_gzip()
        return unpacked


def _unpacking(encoding: bytes) -> Gunzip | None:
    """Raises WrongEncoding, which names the encoding if it has a name."""
    name = encoding.decode("latin-1").strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip"):
        return Gunzip()
    shown = name if re.fullmatch(r"[a-z0-9-]{1,20}", name) else "of this request"
    raise WrongEncoding(f"the content-encoding {shown} is not understood; send gzip, or the body as it is")


def _may_send_text(headers: dict[bytes, bytes], origins: Origins) -> bool:
    return "*" in origins or headers.get(b"origin", b"").decode("latin-1") in origins


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


def _not_gzip() -> InvalidRequest:
    return InvalidRequest([Problem((), "the body is not one whole gzip stream, as its content-encoding says")])
