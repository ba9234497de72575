"""Connections to Redis for an event loop: many requests share one, replies come in the order of the commands.

Commands are packed by the caller and replies are parsed by hiredis, so that hundreds of hashes cost one write, a few
reads and no object per command. :class:`RedisConnection` is one connection; :class:`ReconnectingConnection` opens a
new one whenever it is lost or silent.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis

from infra.redis_server.endpoint import Endpoint

HEARTBEAT_S = 0.2
SILENCE_S = 0.6  # a connection that does not answer a heartbeat within this time is lost: less than a second in all
RECONNECT_PAUSE_S = 0.25

log = logging.getLogger(__name__)


class ConnectionLost(ConnectionError):
    """The connection is closed, or Redis answered with an error; the message says which."""


class RedisConnection(asyncio.Protocol):
    """Made by :func:`connect`. Not thread-safe: all calls come from the loop that made it.

    ``on_push`` is called with each message that Redis sends without a command, which it does in protocol version 3.
    """

    def __init__(self, on_push: Callable[[list[Any]], None] | None = None) -> None:
        self._on_push = on_push
        self._parser = hiredis.Reader()
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._transport: asyncio.Transport | None = None
        self._problem = "not connected"

    def call(self, packed: bytes, replies: int) -> asyncio.Future[list[Any]]:
        """``packed``: as many commands as there will be ``replies``. Fails with ConnectionLost.

        A cancelled future leaves the connection usable: its replies are read and dropped. A future that is no longer
        awaited may fail without a log line.
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
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from asyncio's

    def data_received(self, data: bytes) -> None:
        self._parser.feed(data)
        while (reply := self._parser.gets()) is not False:  # False: the rest of the reply has not arrived yet
            if isinstance(reply, hiredis.PushNotification):
                if self._on_push is not None:
                    self._on_push(reply)
                continue
            wanted, received, future = self._waiting[0]
            received.append(reply)
            if len(received) == wanted:
                self._waiting.popleft()
                if not future.done():
                    _settle(future, received)

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
    future.exception()  # asyncio logs a failure that is never read


async def connect(endpoint: Endpoint, on_push: Callable[[list[Any]], None] | None = None) -> RedisConnection:
    """Raises ConnectionLost, OSError, or TimeoutError after ``endpoint.timeout_s``."""
    async with asyncio.timeout(endpoint.timeout_s):
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if endpoint.ssl else None
        _, connection = await loop.create_connection(
            lambda: RedisConnection(on_push), endpoint.host, endpoint.port, ssl=context
        )
        greeting = []
        if endpoint.password is not None:
            user = [endpoint.username.encode()] if endpoint.username else []
            greeting.append(pack(b"AUTH", *user, endpoint.password.encode()))
        greeting.append(pack(b"SELECT", str(endpoint.db).encode()))
        try:
            await connection.call(b"".join(greeting), len(greeting))
        except BaseException:
            connection.close()
            raise
        return connection


class ReconnectingConnection:
    """A connection that is opened again whenever it is lost or silent.

    ``find_endpoint`` is called before each attempt, since a Redis that was restarted may have another port. ``name``
    appears in the log. ``on_open`` is called for each new connection. Not thread-safe: all calls come from the loop
    that called ``start``.
    """

    def __init__(
        self, name: str, find_endpoint: Callable[[], Endpoint], on_open: Callable[[], None] = lambda: None
    ) -> None:
        self._name = name
        self._on_open = on_open
        self._find_endpoint = find_endpoint
        self._task: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self.current: RedisConnection | None = None
        self.problem: str | None = f"{name} is not open yet"

    async def start(self, timeout_s: float) -> None:
        """Connect. After ``timeout_s`` this returns without a connection, and the attempts continue."""
        self._task = asyncio.create_task(self._reconnect())
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError:
            log.warning("starting without %s: %s", self._name, self.problem)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def call(self, packed: bytes, replies: int) -> asyncio.Future[list[Any]]:
        """See :meth:`RedisConnection.call`. Raises ConnectionLost at once while there is no connection."""
        return self.open_connection().call(packed, replies)

    def open_connection(self) -> RedisConnection:
        """Raises ConnectionLost at once while there is no connection."""
        if self.current is None:
            raise ConnectionLost(str(self.problem))
        return self.current

    async def _reconnect(self) -> None:
        while True:
            try:
                await self._use(await asyncio.to_thread(self._find_endpoint))
            except Exception as error:  # no Redis, no address, refused or silent
                self._note(f"{type(error).__name__}: {error}")
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _use(self, endpoint: Endpoint) -> None:
        """Runs until the connection is lost or does not answer a heartbeat."""
        connection = await connect(endpoint)
        try:
            self._open(connection)
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                async with asyncio.timeout(SILENCE_S):
                    await connection.call(pack(b"PING"), 1)
        finally:
            self.current = None
            connection.close()  # calls without a reply fail

    def _open(self, connection: RedisConnection) -> None:
        if self._opened.is_set():
            log.warning("%s answers again", self._name)
        self._on_open()
        self.current, self.problem = connection, None
        self._opened.set()

    def _note(self, problem: str) -> None:
        if self.problem is None:
            log.warning("continuing without %s: %s", self._name, problem)
        self.problem = problem


def pack(*words: bytes) -> bytes:
    """One command in the form of Redis' protocol."""
    return b"*%d\r\n%s" % (len(words), bulk(words))


def bulk(words: Iterable[bytes]) -> bytes:
    return b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in words])


TIME = pack(b"TIME")


def time_us(reply: list[bytes]) -> int:
    """The reply to :data:`TIME`: the server's clock, µs since the epoch."""
    return int(reply[0]) * 1_000_000 + int(reply[1])
