"""Closes connections that do not send their request to its end.

Uvicorn waits without a limit for the first request of a connection, for the rest of a head and for the rest of a body.
A client that sends one byte now and then could hold a connection for ever, and the number of connections is limited.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

READ_TIMEOUT_S = 15.0


class ReadTimeoutProtocol(HttpToolsProtocol):
    """``read_timeout_s``: from the connection, or the first byte of a later request, until the request is complete.

    A request that arrives in one piece needs no timer. After an answer, uvicorn's own timeout_keep_alive counts.
    """

    read_timeout_s = READ_TIMEOUT_S
    _is_whole = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))  # uvloop's do not inherit from asyncio's
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._is_whole = False
        super().data_received(data)
        if self._is_whole:
            self._stop_timer()
        elif self._timer is None and not self.transport.is_closing():
            self._start_timer()

    def on_message_begin(self) -> None:
        self._is_whole = False  # of a pipelined request; the one before it is complete
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.read_timeout_s, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
