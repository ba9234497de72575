"""How busy the event loop of this process is."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections import deque


class BusyTime:
    """Seconds that the thread was on a core, or ready to run and waiting for one. Call it on one thread only.

    CPU time alone would be too short where other processes want the same cores, and the time of day too long where the
    thread waits for Redis. Linux counts both parts in ``schedstat`` (nanoseconds; see proc(5)). Elsewhere it is the CPU
    time.
    """

    def __init__(self) -> None:
        self._file: int | None = None
        self._is_opened = False

    def __call__(self) -> float:
        if not self._is_opened:
            self._open()
        if self._file is None:
            return time.thread_time()
        on_core, waited, _ = os.pread(self._file, 64, 0).split()
        return (int(on_core) + int(waited)) * 1e-9

    def _open(self) -> None:
        self._is_opened = True
        try:
            self._file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
        except OSError:
            return
        weakref.finalize(self, os.close, self._file)


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
