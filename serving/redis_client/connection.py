"""One connection to Redis for an event loop: many requests share it, replies come in the order of the commands.

Commands are packed by the caller, and replies are parsed by hiredis, so that hundreds of hashes cost one write,
a few reads and no object per command.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis

from infra.redis_server.endpoint import Endpoint


class ConnectionLost(ConnectionError):
    """The connection is closed, or Redis answered with an error; the message says which."""


class RedisConnection(asyncio.Protocol):
    """Made by :func:`connect`. Not for threads: all calls come from the loop that made it.

    ``on_push`` is told of what Redis says unasked, which it does to connections of protocol 3.
    """

    def __init__(self, on_push: Callable[[list[Any]], None] | None = None) -> None:
        self._on_push = on_push
        self._parser = hiredis.Reader()
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._transport: asyncio.Transport | None = None
        self._problem = "not connected"

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def call(self, packed: bytes, replies: int) -> asyncio.Future[list[Any]]:
        """``packed``: as many commands as there will be ``replies``. Fails with LinkDown.

        A future that is cancelled leaves the connection usable: its replies are read and dropped. One that nobody
        waits for any longer may fail unseen.
        """
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if not replies:
            future.set_result([])
        elif self._transport is None:
            _fail(future, self._problem)
        else:
            self._waiting.append((replies, [], future))
            self._transport.write(packed)
        return future

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no common class

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        while (reply := self._parser.gets()) is not False:  # False: the rest has not come yet
            if isinstance(reply, hiredis.PushNotification):
                if self._on_push is not None:
                    self._on_push(reply)
                continue
            wanted, found, future = self._waiting[0]
            found.append(reply)
            if len(found) == wanted:
                self._waiting.popleft()
                if not future.done():
                    _settle(future, found)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._problem = f"Redis closed the connection{f': {error}' if error else ''}"
        for _, _, future in self._waiting:
            if not future.done():
                _fail(future, self._problem)
        self._waiting.clear()


def _settle(future: asyncio.Future[list[Any]], replies: list[Any]) -> None:
    refusal = next((reply for reply in replies if isinstance(reply, hiredis.ReplyError)), None)
    if refusal is None:
        future.set_result(replies)
    else:
        _fail(future, f"Redis answers {refusal}")


def _fail(future: asyncio.Future[list[Any]], problem: str) -> None:
    future.set_exception(ConnectionLost(problem))
    future.exception()  # else one that nobody waits for is reported when it is forgotten


async def connect(endpoint: Endpoint, on_push: Callable[[list[Any]], None] | None = None) -> RedisConnection:
    """Raises LinkDown, OSError, or TimeoutError after ``endpoint.timeout_s``."""
    async with asyncio.timeout(endpoint.timeout_s):
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if endpoint.ssl else None
        _, link = await loop.create_connection(
            lambda: RedisConnection(on_push), endpoint.host, endpoint.port, ssl=context
        )
        greeting = []
        if endpoint.password is not None:
            user = [endpoint.username.encode()] if endpoint.username else []
            greeting.append(pack(b"AUTH", *user, endpoint.password.encode()))
        greeting.append(pack(b"SELECT", str(endpoint.db).encode()))
        try:
            await link.call(b"".join(greeting), len(greeting))
        except BaseException:
            link.close()
            raise
        return link


def pack(*words: bytes) -> bytes:
    """One command in the protocol's form."""
    return b"*%d\r\n%s" % (len(words), bulk(words))


def bulk(words: Iterable[bytes]) -> bytes:
    return b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])
