"""How long tasks may take, watched by one timer for all of them.

Next to no limit is ever reached, so a request should not have to set up and take down a timer for it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

SOONEST_S = 0.001  # the grain of uvloop's timers

T = TypeVar("T")


class TimeLimits:
    """Not for threads: all calls come from one loop."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, which is cancelled when it takes longer. Raises TimeoutError.

        One at a time of each task.
        """
        task = asyncio.current_task()
        assert task is not None
        assert task not in self._due
        due = time.monotonic() + seconds
        self._due[task] = due
        if due < self._rings_at:
            self._ring_at(due)
        others = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._due and task.cancelling() == others + 1:
                raise TimeoutError from None
            raise
        finally:
            if self._due.pop(task, None) is None:
                task.uncancel()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = math.inf

    def _ring_at(self, due: float) -> None:
        self.close()
        self._rings_at = due
        self._timer = asyncio.get_running_loop().call_later(max(due - time.monotonic(), SOONEST_S), self._ring)

    def _ring(self) -> None:
        self._rings_at = math.inf
        now = time.monotonic()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            task.cancel()
        if self._due:
            self._ring_at(min(self._due.values()))
