"""``POST /score`` while Redis is killed, started again, stopped and continued: what requests see of it.

    python -m benchmarks.outage [--json FILE] [--rate N] [--deadline MS]

Requests of 100 candidates at a fixed rate, each with a deadline, timed from when they were due. Of each phase: how
many were answered within the deadline, how many degraded, the slowest; and after each end of an outage, how long it
took until answers were whole again.
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
from typing import Any

import numpy as np

from benchmarks.load import Load, closed_loop, is_ok, open_loop, requests_of, wait_until
from benchmarks.online_data import bodies, environment, fill, settings_in
from benchmarks.server_process import ServerProcess, free_port
from infra import redis_server
from infra.settings import Settings

CANDIDATES, ITEMS = 100, 5_000
PHASE_S = 4.0
CONNECTIONS = 64


def phases(settings: Settings) -> list[tuple[str, Callable[[], Any]]]:
    """Name and what begins it."""

    def pid() -> int:
        return int(json.loads((settings.redis_dir / "endpoint.json").read_text())["pid"])

    return [
        ("all is well", lambda: None),
        ("Redis killed", lambda: os.kill(pid(), signal.SIGKILL)),
        ("started again", lambda: redis_server.start(settings)),
        ("Redis stopped", lambda: os.kill(pid(), signal.SIGSTOP)),
        ("continued", lambda: os.kill(pid(), signal.SIGCONT)),
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


def _through(
    steps: list[tuple[str, Callable[[], Any]]], url: str, requests: list[bytes], rate: float
) -> tuple[Load, list[tuple[str, float]]]:
    """All requests, and when each phase began."""
    began: list[tuple[str, float]] = []

    failures: list[Exception] = []

    def conduct() -> None:
        start = time.perf_counter()
        try:
            for k, (name, begin) in enumerate(steps):
                time.sleep(max(0.0, start + k * PHASE_S - time.perf_counter()))
                begin()
                began.append((name, time.perf_counter()))
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
    ends = [moment for _, moment in began[1:]] + [np.inf]
    for (name, begin), end in zip(began, ends, strict=True):
        inside = (load.due >= begin) & (load.due < end)
        taken, whole = load.seconds[inside] * 1e3, load.as_expected[inside]
        degraded_after = load.due[inside][~whole] - begin
        phase = {
            "name": name,
            "requests": int(inside.sum()),
            "late": int((taken > deadline_ms).sum()),
            "degraded": int((~whole).sum()),
            "p50_ms": round(float(np.median(taken)), 2),
            "slowest_ms": round(float(taken.max()), 1),
            "last_degraded_after_s": round(float(degraded_after.max()), 2) if len(degraded_after) else None,
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
