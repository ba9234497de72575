"""Load on an HTTP server, and how long each request took.

*Closed loop*: each connection sends its next request when it has the answer to the last. *Open loop*: requests are
due at fixed times, whatever the server does, and are timed from when they were due, so that a stalled server
cannot hide the requests that had to wait (Tene's *coordinated omission*). Threads with plain sockets: they wake
up within a tenth of a millisecond, where an event loop's timers count whole milliseconds.
"""

from __future__ import annotations

import gc
import itertools
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Load:
    """One row per request. due: (n,) on ``time.perf_counter``'s clock; seconds: (n,) from then until the answer was
    there; as_expected: (n,); ``wall_s``: of them all."""

    due: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    as_expected: npt.NDArray[np.bool_]
    wall_s: float

    @staticmethod
    def together(loads: Sequence[Load]) -> Load:
        """One after the other."""
        return Load(
            np.concatenate([load.due for load in loads]),
            np.concatenate([load.seconds for load in loads]),
            np.concatenate([load.as_expected for load in loads]),
            sum(load.wall_s for load in loads),
        )

    @property
    def wrong(self) -> int:
        return int((~self.as_expected).sum())

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall_s

    def percentiles(self) -> dict[str, float]:
        """Milliseconds."""
        p50, p95, p99 = np.percentile(self.seconds, [50, 95, 99]) * 1e3
        return {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3), "p99_ms": round(float(p99), 3)}


class Connection:
    """One kept-alive HTTP/1.1 connection. Raises OSError."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Status and body."""
        self._socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        parts, missing = [received[end + 4 :]], length - len(received) + end + 4
        while missing > 0:
            parts.append(self._more())
            missing -= len(parts[-1])
        return int(head[9:12]), b"".join(parts)

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


def requests_of(url: str, bodies: Sequence[bytes], headers: str = "") -> list[bytes]:
    """One whole HTTP request per body."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type: application/json\r\n{headers}"
    return [f"{head}content-length: {len(body)}\r\n\r\n".encode() + body for body in bodies]


Expected = Callable[[int, bytes], bool]


def is_ok(status: int, body: bytes) -> bool:
    return status == 200 and b'"degraded":true' not in body


def closed_loop(
    url: str,
    requests: Sequence[bytes],
    count: int,
    connections: int = 1,
    expected: Expected = is_ok,
    first: int = 0,
) -> Load:
    """``count`` requests in turn, from the ``first``."""
    numbers = itertools.count(first)

    def next_due() -> tuple[int, float] | None:
        k = next(numbers)
        return (k, time.perf_counter()) if k < first + count else None

    return _run(url, requests, connections, next_due, expected)


def open_loop(
    url: str, requests: Sequence[bytes], rate: float, seconds: float, connections: int, expected: Expected = is_ok
) -> Load:
    """``rate`` requests a second for ``seconds``; a request that finds all ``connections`` busy waits, and is timed."""
    numbers, start, count = itertools.count(), time.perf_counter() + 0.1, int(rate * seconds)

    def next_due() -> tuple[int, float] | None:
        k = next(numbers)
        if k >= count:
            return None
        due = start + k / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        return k, due

    return _run(url, requests, connections, next_due, expected)


def _run(
    url: str,
    requests: Sequence[bytes],
    connections: int,
    next_due: Callable[[], tuple[int, float] | None],
    expected: Expected,
) -> Load:
    taken: list[tuple[float, float, bool]] = []
    failures: list[BaseException] = []

    def use(connection: Connection) -> None:
        try:
            while not failures and (found := next_due()) is not None:
                k, due = found
                status, body = connection.exchange(requests[k % len(requests)])
                taken.append((due, time.perf_counter() - due, expected(status, body)))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=use, args=(Connection(url),)) for _ in range(connections)]
    gc.disable()  # looking through all that a benchmark imports takes a fifth of a second, in which nothing is sent
    try:
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.enable()
    if failures:
        raise failures[0]
    wall_s = time.perf_counter() - started
    due, seconds, as_expected = (np.array(column) for column in zip(*taken, strict=True))
    return Load(due, seconds, as_expected, wall_s)


def wait_until(url: str, ready: Expected, process: Any, timeout_s: float = 120.0) -> bytes:
    """The answer of ``url`` to a GET, once it is ``ready``. Raises RuntimeError when ``process`` has ended."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode()
    until, body = time.monotonic() + timeout_s, b""
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{url}: the server ended with status {process.returncode}")
        try:
            connection = Connection(url)
            status, body = connection.exchange(request)
            connection.close()
            if ready(status, body):
                return body
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{url} is not ready after {timeout_s:.0f} s: {body[:500]!r}")
