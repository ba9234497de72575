"""Which requests a worker answers. The others are refused early, so that the answered ones keep their deadlines.

A worker answers on one event loop, which does the work of one request after the other. When more requests arrive than
it can do, each of them waits for those ahead of it, and soon all answers would come too late. So a request is refused
with 503 when

- ``full``:    as many requests of its endpoint are in flight as there may be;
- ``late``:    the requests ahead of it need more than its share of the time left;
- ``expired``: its deadline is over.

The work of one request is a moving average of the time from one answer to the next while requests are in flight,
whatever the process did in it. A request with none ahead of it is never ``late``, so the average always finds its way
back.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api.error_answers import answer_of
from serving.api.http_input import deadline_ms
from serving.api.middleware.starts import Starts
from serving.errors import Overloaded, ServingError
from serving.metrics import Refusal

SHARE = 0.4  # of the time left; the rest is for the request itself, and for what the average does not foresee
FIRST_WORK_S = 0.001  # until the first answers
STARTS = 4  # of one endpoint in a turn of the loop
WEIGHT = 1 / 32  # of the newest answer in the average


class Admission:
    """The requests of one endpoint. Not thread-safe: all calls come from the loop's thread.

    ``refused``: is called with the reason of each refusal. ``now``: the clock of the deadlines, in seconds.
    """

    def __init__(
        self,
        max_in_flight: int,
        refused: Callable[[Refusal], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_flight = 0
        self._max_in_flight = max_in_flight
        self._refused = refused
        self._now = now
        self._starts = Starts(STARTS)
        self._work_s = FIRST_WORK_S
        self._last_answer_s = 0.0

    def check(self, deadline: float) -> None:
        """Raises Overloaded for a request that cannot be answered until ``deadline``."""
        left_s = deadline - self._now()
        if left_s <= 0:
            raise self._refusal("expired", "the deadline was over before the request could be read")
        if self.in_flight >= self._max_in_flight:
            raise self._refusal("full", f"{self.in_flight} requests are being answered")
        if self.in_flight * self._work_s > SHARE * left_s:
            raise self._refusal("late", f"{self.in_flight} requests are ahead, too many for the deadline")

    @asynccontextmanager
    async def slot(self, deadline: float) -> AsyncIterator[None]:
        """For a request whose body is there; waits until it may start. Raises Overloaded."""
        self.check(deadline)
        if not self.in_flight:
            self._last_answer_s = self._now()
        self.in_flight += 1
        try:
            await self._starts.wait()
            if self._now() >= deadline:
                raise self._refusal("expired", "the deadline was over before the request could be started")
            yield
        finally:
            self.in_flight -= 1
            now_s = self._now()
            self._work_s += WEIGHT * (now_s - self._last_answer_s - self._work_s)
            self._last_answer_s = now_s

    def _refusal(self, reason: Refusal, why: str) -> Overloaded:
        self._refused(reason)
        return Overloaded(f"{why}; send the request again later")


class Admit:
    """ASGI middleware: sets ``request.state.deadline``, counted from here, and refuses before the body is read.

    ``find``: the admission of the endpoint that a request is for.
    """

    def __init__(self, app: ASGIApp, find: Callable[[Scope], Admission | None], default_deadline_ms: int) -> None:
        self._app = app
        self._find = find
        self._default_ms = default_deadline_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admission = self._find(scope) if scope["type"] == "http" else None
        if admission is not None:
            arrived = time.monotonic()
            try:
                deadline = arrived + deadline_ms(scope, self._default_ms) / 1000
                admission.check(deadline)
            except ServingError as error:
                await answer_of(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["deadline"] = deadline
        await self._app(scope, receive, send)
