"""``POST /score`` at several times its capacity: what is refused, and whether the accepted keep their deadline.

    python -m benchmarks.online.overload [--json FILE] [--times 3] [--seconds 30] [--deadline MS ...]

Requests of 100 candidates at a fixed rate, timed from when they were due. The capacity is measured first, with 8
connections. For each deadline: the share of refused requests (503), the times of the accepted and of the refused ones,
and the memory of the server before, every second during, and after the load. Then bursts of requests that are due at
the same time, with the load away: none may be refused.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import Load, closed_loop, open_loop, requests_of, wait_until
from benchmarks.online.data import bodies, environment, fill, settings_in
from benchmarks.server_process import ServerProcess, free_port
from infra.redis_server import server as redis_server

CANDIDATES, ITEMS = 100, 20_000
CONNECTIONS = 400
CAPACITY_REQUESTS = 4_000
DEADLINES_MS = (100, 1_500)
BURST, BURSTS, BURST_PAUSE_S = 40, 20, 0.25
REST_S = 2.0


class Statuses:
    """Counts the answers by status. Only 200 and 503 may come."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def expected(self, status: int, body: bytes) -> bool:
        self.counts[status] += 1
        return status == 200 and b'"degraded":true' not in body


class MemoryLog:
    """Megabytes of a server, once a second."""

    def __init__(self, server: ServerProcess) -> None:
        self.megabytes = [server.memory_mb()]
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> MemoryLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            self.megabytes.append(self._server.memory_mb())


def overload(server: ServerProcess, rate: float, seconds: float, deadline_ms: int) -> dict[str, Any]:
    url = f"{server.url}/score"
    requests = requests_of(url, bodies(400, CANDIDATES, ITEMS), f"x-deadline-ms: {deadline_ms}\r\n")
    statuses = Statuses()
    with MemoryLog(server) as memory:
        load = open_loop(url, requests, rate, seconds, CONNECTIONS, statuses.expected)
        time.sleep(REST_S)
    refused = statuses.counts[503]
    accepted = Load(load.due, load.seconds[load.as_expected], load.as_expected[load.as_expected], load.wall_s)
    times_ms, refused_ms = accepted.seconds * 1e3, load.seconds[~load.as_expected] * 1e3
    found = {
        "deadline_ms": deadline_ms,
        "sent": len(load.seconds),
        "sent_per_s": round(load.rate, 1),
        "statuses": dict(statuses.counts),
        "refused_share": round(refused / len(load.seconds), 3),
        "accepted_per_s": round(len(times_ms) / load.wall_s, 1),
        "accepted": accepted.percentiles(),
        "accepted_late_share": round(float((times_ms > deadline_ms).mean()), 4),
        "slowest_accepted_ms": round(float(times_ms.max()), 1),
        "refused_p99_ms": round(float(np.percentile(refused_ms, 99)), 1) if refused else None,
        "wall_s": round(load.wall_s, 1),
        "memory_mb": [round(value, 1) for value in (memory.megabytes[0], max(memory.megabytes), memory.megabytes[-1])],
    }
    print("  " + ", ".join(f"{key} {value}" for key, value in found.items()), flush=True)
    return found


def bursts(server: ServerProcess, deadline_ms: int) -> dict[str, Any]:
    """BURSTS times BURST requests at once."""
    url = f"{server.url}/score"
    requests = requests_of(url, bodies(400, CANDIDATES, ITEMS), f"x-deadline-ms: {deadline_ms}\r\n")
    statuses = Statuses()
    loads = []
    for k in range(BURSTS):
        loads.append(closed_loop(url, requests, BURST, BURST, statuses.expected, first=k * BURST))
        time.sleep(BURST_PAUSE_S)
    whole = Load.together(loads)
    found = {"deadline_ms": deadline_ms, "statuses": dict(statuses.counts), **whole.percentiles()}
    print(f"  bursts of {BURST}: {found}", flush=True)
    return found


def measure(times: float, seconds: float, deadlines_ms: tuple[int, ...]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="overload-") as name:
        settings = settings_in(Path(name))
        redis_server.start(settings)
        port = free_port()
        try:
            fill(settings, ITEMS)
            server = ServerProcess.start(["-m", "serving"], environment(settings, RERANK_PORT=str(port)), port)
            try:
                wait_until(f"{server.url}/model", lambda _, body: b'"llvm"' in body, server.process)
                url = f"{server.url}/score"
                requests = requests_of(url, bodies(400, CANDIDATES, ITEMS))
                closed_loop(url, requests, 400)
                capacity = closed_loop(url, requests, CAPACITY_REQUESTS, 8).rate
                print(f"capacity {capacity:.0f} requests/s; {times:g} times as many for {seconds:g} s", flush=True)
                return {
                    "capacity_per_s": round(capacity, 1),
                    "overload": [overload(server, times * capacity, seconds, each) for each in deadlines_ms],
                    "bursts": [bursts(server, each) for each in deadlines_ms],
                }
            finally:
                server.stop()
        finally:
            redis_server.stop(settings)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online.overload", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--times", type=float, default=3.0, help="of the capacity")
    parser.add_argument("--seconds", type=float, default=30.0, help="of load for each deadline")
    parser.add_argument("--deadline", type=int, nargs="+", default=DEADLINES_MS, metavar="MS", help="of each request")
    arguments = parser.parse_args(argv)
    found = measure(arguments.times, arguments.seconds, tuple(arguments.deadline))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
