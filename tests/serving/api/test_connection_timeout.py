"""Connections that trickle, against a real uvicorn server."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvicorn

from serving.__main__ import listen
from serving.api.connection_timeout import ReadTimeoutProtocol

TIMEOUT_S = 0.3
PATIENCE_S = 30.0
HEAD = b"POST / HTTP/1.1\r\nhost: scorer\r\ncontent-length: 4\r\n\r\n"


class Protocol(ReadTimeoutProtocol):
    read_timeout_s = TIMEOUT_S


async def app(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if body == b"slow":
        await asyncio.sleep(3 * TIMEOUT_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def talk(conversation):
    """The result of ``conversation(reader, writer)`` with a server."""

    async def run():
        listening = listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, http=Protocol, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await conversation(reader, writer)
        finally:
            writer.close()
            server.should_exit = True
            await serving

    return asyncio.run(run())


async def is_closed(reader):
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def trickle(writer, data):
    """One byte at a time, until the server closes the connection."""
    try:
        while True:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(TIMEOUT_S / 10)
    except OSError:
        return


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"", b""), (b"", b"\r\n"), (b"POST / HTTP/1.1\r\nhost: ", b"a"), (HEAD.replace(b"4", b"999999"), b"a")],
    ids=["nothing", "empty lines", "a head without an end", "a body without an end"],
)
def test_a_connection_without_a_whole_request_is_closed(first, then):
    async def conversation(reader, writer):
        writer.write(first)
        trickling = asyncio.create_task(trickle(writer, then))
        closed = await is_closed(reader)
        trickling.cancel()
        return closed

    assert talk(conversation)


def test_a_connection_that_trickles_after_its_first_request_is_closed():
    async def conversation(reader, writer):
        writer.write(HEAD + b"fast")
        first = await reader.readuntil(b"fast")
        writer.write(b"POST / HTTP/1.1\r\nhost: ")
        trickling = asyncio.create_task(trickle(writer, b"a"))
        closed = await is_closed(reader)
        trickling.cancel()
        return first, closed

    first, closed = talk(conversation)
    assert first.startswith(b"HTTP/1.1 200")
    assert closed


def test_a_whole_request_is_answered_however_long_it_takes():
    async def conversation(reader, writer):
        started = time.monotonic()
        writer.write(HEAD[:20])
        await asyncio.sleep(TIMEOUT_S / 10)
        writer.write(HEAD[20:] + b"slow")
        answer = await reader.readuntil(b"slow")
        return answer, time.monotonic() - started

    answer, took_s = talk(conversation)
    assert answer.startswith(b"HTTP/1.1 200")
    assert took_s > TIMEOUT_S


def test_requests_sent_at_once_are_all_answered():
    async def conversation(reader, writer):
        writer.write((HEAD + b"slow") + (HEAD + b"fast") + (HEAD + b"slow"))
        return [await reader.readuntil(end) for end in (b"slow", b"fast", b"slow")]

    answers = talk(conversation)
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 3
