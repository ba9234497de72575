"""``POST /score`` beside the straightforward stack, Feast's own server and the floor: one Redis, one model, one run.

    python -m benchmarks.online [--json FILE] [--quick] [--workers N]

300 trees x 63 leaves on all features of the default data set, 100,000 items; 1, 100 and 500 candidates. All servers
run at the same time and get requests in turns, a few each, so that a busy phase of the machine meets all of them. The
table has the ratio of ours to the floor over all requests, and the median of the turns' ratios.

- *ours*: ``python -m serving``; *uncached*: the same without an item cache. Both decode a user's row once for as long
  as it stays the same, and each user asks four times in a row; *new users*: ours, each request another user's.
- *naive*, *floor*: see :mod:`benchmarks.online.servers`.
- *feast serve*: Feast's HTTP server, the item features of the candidates alone: nothing is scored.

Then 8 connections at once; requests at a fixed rate, timed from when they were due, alone and while a `feast
materialize` of all items, niced and limited to a rate, runs on the same cores; stages, CPU and memory. The rate is
half the capacity, which is measured again every few seconds: the speed of a virtual machine changes, and half of its
best phase may be all of the next.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.child import in_child
from benchmarks.load import Load, closed_loop, is_ok, open_loop, wait_until
from benchmarks.online.contenders import CONTENDERS, feast_command, redis_url, requests_for, servers
from benchmarks.online.data import ITEMS, KNOWN, NOW, environment, fill, settings_in
from benchmarks.server_process import ServerProcess, in_background
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY as DECLARATION
from infra.redis_server import server as redis_server
from infra.settings import Settings
from serving.features.feature_client import FeatureClient
from serving.features.redis_reader import RedisReader

CANDIDATES = (1, 100, 500)
WARM_UP = 30
MATERIALIZE_ROWS_PER_S = 2_000
OPEN_LOOP_CONNECTIONS = 32
CAPACITY_REQUESTS = 1_500
SLICE_S = 5.0
REST_S = 0.3  # until what the full load left in queues is done
PER_ROUND = {"ours": 48, "new_users": 24, "uncached": 24, "naive": 8, "floor": 48, "feast_serve": 8}


def one_connection(running: dict[str, ServerProcess], candidates: int, rounds: int) -> dict[str, Any]:
    asked = {name: requests_for(name, running, candidates) for name in CONTENDERS}
    for url, requests in asked.values():
        closed_loop(url, requests, WARM_UP)
    seconds: dict[str, list[Any]] = {name: [] for name in asked}
    stages = _stages(running["ours"])
    for k in range(rounds):
        for name, (url, requests) in asked.items():
            load = closed_loop(url, requests, PER_ROUND[name], first=k * PER_ROUND[name])
            _must_be_right(name, load)
            seconds[name].append(load)
    found: dict[str, Any] = {}
    for name, loads in seconds.items():
        whole = Load.together(loads)
        found |= {f"{name}_{key}": value for key, value in whole.percentiles().items()}
        found[f"{name}_requests"] = len(whole.seconds)
    turns = zip(seconds["ours"], seconds["floor"], strict=True)
    by_turn = [median(ours.seconds) / median(floor.seconds) for ours, floor in turns]
    found["ours_over_floor_median_turn"] = round(float(median(by_turn)), 2)
    after = _stages(running["ours"])
    found["stages_ms"] = {
        stage: round((after[stage][0] - stages[stage][0]) / (after[stage][1] - stages[stage][1]) * 1e3, 3)
        for stage in after
    }
    ours, naive, floor = (found[f"{name}_p50_ms"] for name in ("ours", "naive", "floor"))
    print(f"\n{candidates} candidates, one connection (p50, p95, p99 in ms)")
    for name in CONTENDERS:
        line = " ".join(f"{found[f'{name}_{p}_ms']:9.3f}" for p in ("p50", "p95", "p99"))
        print(f"  {name:12s} {line}   {found[f'{name}_p50_ms'] / ours:7.2f} x ours   n={found[f'{name}_requests']}")
    print(f"  naive/ours {naive / ours:.1f}, naive/uncached {naive / found['uncached_p50_ms']:.1f}, ", end="")
    print(f"ours/floor {ours / floor:.2f} (turn by turn {found['ours_over_floor_median_turn']}); ", end="")
    print(f"stages {found['stages_ms']}", flush=True)
    return found


def throughput(running: dict[str, ServerProcess], candidates: int, seconds: float) -> dict[str, Any]:
    """8 connections, the same wall time for each."""
    found: dict[str, Any] = {}
    for name in ("ours", "uncached", "naive", "floor"):
        url, requests = requests_for(name, running, candidates)
        probe = closed_loop(url, requests, 16, 8)
        cpu = running[name].cpu_s()
        load = closed_loop(url, requests, max(16, int(probe.rate * seconds)), 8)
        _must_be_right(name, load)
        used = running[name].cpu_s() - cpu
        found[name] = round(load.rate, 1)
        found[f"{name}_per_core"] = round(len(load.seconds) / used, 1)
        found |= {f"{name}_{key}": value for key, value in load.percentiles().items()}
    print(f"\n{candidates} candidates, 8 connections: requests/s (per core of the server)")
    for name in ("ours", "uncached", "naive", "floor"):
        print(f"  {name:12s} {found[name]:8.1f} ({found[f'{name}_per_core']:.1f})   p99 {found[f'{name}_p99_ms']} ms")
    print(f"  ours/naive {found['ours'] / found['naive']:.1f}", flush=True)
    return found


@dataclass(frozen=True)
class Slice:
    """A few seconds at a fixed rate. ``capacity``: requests/s of 8 connections just before."""

    capacity: float
    load: Load

    def figures(self) -> dict[str, Any]:
        return {"capacity": round(self.capacity, 1), **figures(self.load)}


def steady(running: dict[str, ServerProcess], candidates: int) -> Slice:
    """At half the capacity."""
    url, requests = requests_for("ours", running, candidates)
    full = closed_loop(url, requests, CAPACITY_REQUESTS, 8)
    time.sleep(REST_S)
    load = open_loop(url, requests, full.rate / 2, SLICE_S, OPEN_LOOP_CONNECTIONS)
    for each in (full, load):
        _must_be_right("ours", each)
    return Slice(full.rate, load)


def figures(load: Load) -> dict[str, Any]:
    found = {"rate": round(load.rate, 1), "requests": len(load.seconds), **load.percentiles()}
    found["p99_over_p50"] = round(found["p99_ms"] / found["p50_ms"], 2)
    return found


def summarized(slices: Sequence[Slice]) -> dict[str, Any]:
    """All requests together, and each slice.

    One bad phase of the machine decides the tail of all slices together, so the median slice is reported too.
    """
    each = [one.figures() for one in slices]
    for line in each:
        print(f"    {line}")
    together = figures(Load.together([one.load for one in slices]))
    together["median_slice_p99_over_p50"] = round(median(line["p99_over_p50"] for line in each), 2)
    print(f"  all: {together}", flush=True)
    return {**together, "slices": each}


def beside_materialization(
    running: dict[str, ServerProcess], settings: Settings, candidates: int
) -> tuple[list[Slice], float]:
    """The slices, and how many seconds it took."""
    limited = environment(
        settings,
        RERANK_MATERIALIZE_ROWS_PER_S=str(MATERIALIZE_ROWS_PER_S),
        RERANK_THREADS="1",
        RERANK_REDIS_URL=redis_url(settings),
    )
    command = [*feast_command(settings), "materialize", "--views", "item_windows"]
    command += [timestamp.strftime("%Y-%m-%dT%H:%M:%S") for timestamp in (KNOWN - timedelta(days=1), NOW)]
    started = time.monotonic()
    writer = in_background(command, limited)
    slices = []
    try:
        while writer.poll() is None:
            slices.append(steady(running, candidates))
    finally:
        writer.terminate()
        writer.wait()
    if writer.returncode != 0:
        raise RuntimeError(f"the materialization ended with status {writer.returncode}")
    return slices, time.monotonic() - started


def fill_cache(settings: Settings) -> Callable[[], Any]:
    """All items of the shop into a cache that stays."""
    reader = RedisReader(DECLARATION, settings.dataset, 1 << 30)

    async def fill() -> None:
        features = FeatureClient(reader, lambda: redis_server.endpoint(settings))
        await features.start(timeout_s=5)
        async with asyncio.timeout(120):
            while features.cached_items < ITEMS:
                await asyncio.sleep(0.1)

    return lambda: asyncio.run(fill())


def nothing(_: Any) -> None:
    return None


def cache_memory(settings: Settings) -> float:
    """Megabytes of resident memory for a million cached items, from the growth of a process that reads all items."""
    found = in_child(fill_cache, settings, warm_ups=0, repeats=1, digest=nothing)
    return (found.peak_mb - found.base_mb) / ITEMS * 1e6


def _must_be_right(name: str, load: Load) -> None:
    if load.wrong:
        raise RuntimeError(f"{name}: {load.wrong} of {len(load.seconds)} requests failed or were degraded")


def _stages(server: ServerProcess) -> dict[str, tuple[float, int]]:
    """Stage -> (seconds, requests) so far."""
    text = wait_until(f"{server.url}/metrics", is_ok, server.process).decode()
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        for kind in ("sum", "count"):
            prefix = f'rerank_stage_seconds_{kind}{{stage="'
            if line.startswith(prefix):
                stage, _, value = line.removeprefix(prefix).partition('"} ')
                found.setdefault(stage, {})[kind] = float(value)
    return {stage: (values["sum"], int(values["count"])) for stage, values in found.items()}


def measure(workers: int, quick: bool) -> dict[str, Any]:
    rounds, seconds, slices = (3, 2.0, 2) if quick else (30, 10.0, 8)
    with tempfile.TemporaryDirectory(prefix="online-") as name:
        settings = settings_in(Path(name))
        redis_server.start(settings)
        try:
            print("filling the shop", flush=True)
            fill(settings)
            with servers(settings, workers) as running:
                found: dict[str, Any] = {"workers": workers}
                for candidates in CANDIDATES:
                    found[f"n{candidates}"] = one_connection(running, candidates, rounds)
                found["rps"] = throughput(running, 500, seconds)
                found["rps"]["n100"] = throughput(running, 100, seconds)
                print("\nopen loop at half the capacity, 500 candidates", flush=True)
                found["open_loop"] = summarized([steady(running, 500) for _ in range(slices)])
                print("\nthe same during a materialization", flush=True)
                beside, took_s = beside_materialization(running, settings, 500)
                found["materializing"] = {**summarized(beside), "materialized_s": round(took_s, 1)}
                found["memory_mb"] = {name: round(server.memory_mb()) for name, server in running.items()}
            found["memory_mb"]["million_cached_items"] = round(cache_memory(settings))
            print(f"memory, MB (PSS of all processes of each server): {found['memory_mb']}")
        finally:
            redis_server.stop(settings)
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--workers", type=int, default=1, help="processes of each server")
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    arguments = parser.parse_args(argv)
    found = measure(arguments.workers, arguments.quick)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
