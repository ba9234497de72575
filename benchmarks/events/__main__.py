"""``POST /events`` beside the straightforward stack and the floor: one Redis that syncs before it answers, one run.

    python -m benchmarks.events [--json FILE] [--quick]

One event a call over one connection, in sessions of 20 events, and batches of 100 over 8 connections. All servers run
at the same time and get requests in turns. *ours*: ``python -m serving``; *naive*, *floor*: see
:mod:`benchmarks.events.servers`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.load import Load, closed_loop, requests_of, wait_until
from benchmarks.online.data import environment, fill, settings_in
from benchmarks.server_process import ServerProcess, free_port
from infra.redis_server.server import EVENTS, FEATURES, start, stop
from infra.settings import Settings

ITEMS, PER_SESSION = 5_000, 20
ACTIONS = ("view", "view", "like", "add_to_cart", "remove_from_cart")
WARM_UP = 20
PER_ROUND = {"ours": 40, "floor": 40, "naive": 10}
BATCH, CONNECTIONS, BATCHES = 100, 8, {"ours": 160, "floor": 160, "naive": 16}


@contextlib.contextmanager
def servers(settings: Settings) -> Iterator[dict[str, ServerProcess]]:
    shared = environment(settings)
    commands = {
        "ours": (["-m", "serving"], "/readyz"),
        "naive": (["-m", "benchmarks.events.servers", "naive"], "/healthz"),
        "floor": (["-m", "benchmarks.events.servers", "floor"], "/healthz"),
    }
    running: dict[str, ServerProcess] = {}
    try:
        for name, (command, ready) in commands.items():
            port = free_port()
            where = [] if name == "ours" else ["--port", str(port)]
            running[name] = ServerProcess.start([*command, *where], shared | {"RERANK_PORT": str(port)}, port)
            wait_until(running[name].url + ready, lambda status, _: status == 200, running[name].process)
        yield running
    finally:
        for server in running.values():
            server.stop()


def bodies(name: str, numbers: Iterator[int], size: int, calls: int) -> list[bytes]:
    return [json.dumps({"events": [_event(name, next(numbers)) for _ in range(size)]}).encode() for _ in range(calls)]


def _event(name: str, number: int) -> dict[str, str]:
    return {
        "event_id": f"{name}-{number}",
        "user_id": f"u{number % 500}",
        "session_id": f"{name}-{number // PER_SESSION}",
        "item_id": f"i{number * 7919 % ITEMS}",
        "action": ACTIONS[number % len(ACTIONS)],
    }


def is_accepted(size: int) -> Any:
    def expected(status: int, body: bytes) -> bool:
        return status in (200, 202) and json.loads(body)["accepted"] == size

    return expected


def send(server: ServerProcess, name: str, numbers: Iterator[int], size: int, calls: int, connections: int) -> Load:
    """Each event is a new one."""
    url = f"{server.url}/events"
    load = closed_loop(url, requests_of(url, bodies(name, numbers, size, calls)), calls, connections, is_accepted(size))
    if load.wrong:
        raise RuntimeError(f"{name}: {load.wrong} of {calls} calls were not accepted completely")
    return load


def measure(quick: bool) -> dict[str, Any]:
    rounds = 3 if quick else 40
    with tempfile.TemporaryDirectory(prefix="events-") as folder:
        settings = settings_in(Path(folder))
        for role in (FEATURES, EVENTS):
            start(settings, role)
        try:
            fill(settings, ITEMS)
            with servers(settings) as running:
                return {"one": one_by_one(running, rounds), "batches": in_batches(running, rounds)}
        finally:
            for role in (FEATURES, EVENTS):
                stop(settings, role)


def one_by_one(running: dict[str, ServerProcess], rounds: int) -> dict[str, Any]:
    numbers = {name: count() for name in PER_ROUND}
    loads: dict[str, list[Load]] = {name: [] for name in PER_ROUND}
    for name, server in running.items():
        send(server, name, numbers[name], 1, WARM_UP, 1)
    for _ in range(rounds):
        for name, calls in PER_ROUND.items():
            loads[name].append(send(running[name], name, numbers[name], 1, calls, 1))
    found = {name: Load.together(each).percentiles() for name, each in loads.items()}
    print("one event a call, one connection")
    for name, figures in found.items():
        print(
            f"  {name:6} p50 {figures['p50_ms']:7.2f} ms   p95 {figures['p95_ms']:7.2f}   p99 {figures['p99_ms']:7.2f}"
        )
    return found


def in_batches(running: dict[str, ServerProcess], rounds: int) -> dict[str, float]:
    numbers = {name: count(10_000_000) for name in BATCHES}
    loads: dict[str, list[Load]] = {name: [] for name in BATCHES}
    for _ in range(max(1, rounds // 10)):
        for name, calls in BATCHES.items():
            loads[name].append(send(running[name], name, numbers[name], BATCH, calls, CONNECTIONS))
    found = {name: round(Load.together(each).rate * BATCH, 1) for name, each in loads.items()}
    print(f"batches of {BATCH}, {CONNECTIONS} connections")
    for name, rate in found.items():
        print(f"  {name:6} {rate:9,.0f} events/s")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    arguments = parser.parse_args(argv)
    found = measure(arguments.quick)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
