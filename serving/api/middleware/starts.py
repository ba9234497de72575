"""How many requests start at the same time."""

from __future__ import annotations

import asyncio
from collections import deque


class Starts:
    """Lets a few requests start in each turn of the loop; the others wait here, first come, first served.

    In one turn the loop does all that is ready. What arrives meanwhile waits in the kernel, where nobody counts it or
    refuses it, so turns must be short. Call it on the loop.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._started = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Returns in the same turn if it may."""
        loop = asyncio.get_running_loop()
        if not self._started and not self._waiting:
            loop.call_soon(self._next_turn)
        if self._started < self._per_turn and not self._waiting:
            self._started += 1
            return
        waiting = loop.create_future()
        self._waiting.append(waiting)
        await waiting

    def _next_turn(self) -> None:
        self._started = 0
        while self._waiting and self._started < self._per_turn:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else its request was cancelled
                waiting.set_result(None)
                self._started += 1
        if self._started:
            asyncio.get_running_loop().call_soon(self._next_turn)
