"""An open loop beyond a server's capacity: as many connections as it takes, from one thread.

:func:`benchmarks.load.open_loop` needs a thread per request that waits for its answer. With hundreds of them the
threads wait for each other, and that would be measured.
"""

from __future__ import annotations

import gc
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Flood:
    """One row per request, in the order of the answers. seconds: (n,) from when it was due; statuses: (n,).

    ``late_s``: the longest time from when a request was due until it was sent; ``wall_s``: of them all.
    """

    seconds: npt.NDArray[np.float64]
    statuses: npt.NDArray[np.int64]
    late_s: float
    wall_s: float
    connections: int


@dataclass
class _Connection:
    socket: socket.socket
    due: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def status(self) -> int | None:
        """None until the answer is complete."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(self.received) >= end + 4 + length else None


def flood(url: str, requests: Sequence[bytes], rate: float, seconds: float, max_connections: int) -> Flood:
    """``rate`` requests a second for ``seconds``; ends with the last answer. Raises OSError or ValueError."""
    poll, connections = select.epoll(), dict[int, _Connection]()
    idle: list[_Connection] = []  # the last one used is the next: the server closes what is idle for seconds
    taken: list[tuple[float, int]] = []
    sent, late_s, count = 0, 0.0, int(rate * seconds)
    gc.disable()
    start = time.perf_counter() + 0.1
    try:
        while len(taken) < count:
            due = start + sent / rate
            while sent < count and due <= time.perf_counter() and (idle or len(connections) < max_connections):
                connection = idle.pop() if idle else _opened(url, poll, connections)
                connection.due = due
                connection.socket.sendall(requests[sent % len(requests)])
                late_s = max(late_s, time.perf_counter() - due)
                sent += 1
                due = start + sent / rate
            has_room = sent < count and (idle or len(connections) < max_connections)
            for handle, _ in poll.poll(max(0.0, due - time.perf_counter()) if has_room else 1.0):
                connection = connections[handle]
                data = connection.socket.recv(1 << 18)
                if not data:
                    idle.remove(connection)  # ValueError if its answer is missing
                    connections.pop(handle).socket.close()
                    continue
                connection.received += data
                status = connection.status()
                if status is not None:
                    taken.append((time.perf_counter() - connection.due, status))
                    connection.received.clear()
                    idle.append(connection)
    finally:
        gc.enable()
        for connection in connections.values():
            connection.socket.close()
        poll.close()
    spent, statuses = (np.array(column) for column in zip(*taken, strict=True))
    return Flood(spent, statuses, late_s, time.perf_counter() - start, len(connections))


def _opened(url: str, poll: select.epoll, connections: dict[int, _Connection]) -> _Connection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    made = socket.create_connection((parts.hostname, parts.port), 60.0)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poll.register(made, select.EPOLLIN)
    connections[made.fileno()] = _Connection(made)
    return connections[made.fileno()]
