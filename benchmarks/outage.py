"""``POST /score`` while Redis is killed, started again, stopped and continued: what requests see of it.

    python -m benchmarks.outage [--json FILE] [--rate N] [--deadline MS]

Requests of 100 candidates at a fixed rate, each with a deadline, timed from when they were due. Of each phase: how
many were answered within the deadline, how many degraded, the slowest; and how long after its beginning the first
whole answer came.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.load import Load, closed_loop, is_ok, open_loop, requests_of, wait_until
from benchmarks.online.data import bodies, environment, fill, settings_in
from benchmarks.server_process import ServerProcess, free_port
from infra.redis_server import server as redis_server
from infra.settings import Settings

CANDIDATES, ITEMS = 100, 5_000
PHASE_S = 4.0
CONNECTIONS = 64


class Phase(NamedTuple):
    """Begins when Redis is stopped (``takes_away``), or when it is there."""

    name: str
    begin: Callable[[], Any]
    takes_away: bool = False


def phases(settings: Settings) -> list[Phase]:

    def pid() -> int:
        return int(json.loads((settings.redis_dir / "endpoint.json").read_text())["pid"])

    return [
        Phase("all is well", lambda: None),
        Phase("Redis killed", lambda: os.kill(pid(), signal.SIGKILL), takes_away=True),
        Phase("started again", lambda: redis_server.start(settings)),
        Phase("Redis stopped", lambda: os.kill(pid(), signal.SIGSTOP), takes_away=True),
        Phase("continued", lambda: os.kill(pid(), signal.SIGCONT)),
    ]


def measure(rate: float, deadline_ms: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="outage-") as name:
        settings = settings_in(Path(name))
        redis_server.start(settings)
        port = free_port()
        try:
            fill(settings, ITEMS)
            server = ServerProcess.start(["-m", "serving"], environment(settings, RERANK_PORT=str(port)), port)
            try:
                wait_until(f"{server.url}/model", lambda _, body: b'"llvm"' in body, server.process)
                url = f"{server.url}/score"
                requests = requests_of(url, bodies(200, CANDIDATES, ITEMS), f"x-deadline-ms: {deadline_ms}\r\n")
                closed_loop(url, requests, 200)
                return _report(*_through(phases(settings), url, requests, rate), deadline_ms)
            finally:
                server.stop()
        finally:
            redis_server.stop(settings)


def _through(steps: list[Phase], url: str, requests: list[bytes], rate: float) -> tuple[Load, list[tuple[str, float]]]:
    """All requests, and when each phase began."""
    began: list[tuple[str, float]] = []
    failures: list[Exception] = []

    def conduct() -> None:
        start = time.perf_counter()
        try:
            for k, phase in enumerate(steps):
                time.sleep(max(0.0, start + k * PHASE_S - time.perf_counter()))
                before = time.perf_counter()
                phase.begin()
                began.append((phase.name, before if phase.takes_away else time.perf_counter()))
        except Exception as error:
            failures.append(error)

    conductor = threading.Thread(target=conduct)
    conductor.start()
    load = open_loop(url, requests, rate, PHASE_S * len(steps), CONNECTIONS, is_ok)
    conductor.join()
    if failures:
        raise failures[0]
    return load, began


def _report(load: Load, began: list[tuple[str, float]], deadline_ms: int) -> dict[str, Any]:
    found: dict[str, Any] = {"deadline_ms": deadline_ms, "requests": len(load.seconds), "phases": []}
    ends = [timestamp for _, timestamp in began[1:]] + [np.inf]
    for (name, begin), end in zip(began, ends, strict=True):
        inside = (load.due >= begin) & (load.due < end)
        taken, whole = load.seconds[inside] * 1e3, load.as_expected[inside]
        whole_after = load.due[inside][whole] - begin
        phase = {
            "name": name,
            "requests": int(inside.sum()),
            "late": int((taken > deadline_ms).sum()),
            "degraded": int((~whole).sum()),
            "p50_ms": round(float(np.median(taken)), 2),
            "slowest_ms": round(float(taken.max()), 1),
            "first_whole_after_s": round(float(whole_after.min()), 2) if len(whole_after) else None,
        }
        found["phases"].append(phase)
        print("  " + ", ".join(f"{key} {value}" for key, value in phase.items()))
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outage", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rate", type=float, default=100, help="requests a second")
    parser.add_argument("--deadline", type=int, default=100, metavar="MS", help="of each request")
    arguments = parser.parse_args(argv)
    found = measure(arguments.rate, arguments.deadline)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
