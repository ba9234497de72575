"""``GET /recommend`` over the default data beside the straightforward stack: one Redis, one model, one run.

    python -m benchmarks.recommend [--json FILE] [--quick]

It needs what ``make pipeline`` leaves: features in Redis and a champion of ``python -m training.stage_two``. Up to
1,000 users of the log ask for 25 items, each four times in a row; no request has a session.

- *ours*: ``python -m serving`` with one worker and without a score log.
- *naive*: see :mod:`benchmarks.recommend.servers`.

First one connection, in turns of both servers, with the time of each stage of ours. Then the capacity of ours with 8
connections, and requests at half of it, timed from when they were due; the capacity is measured again every few
seconds, because the speed of a virtual machine changes. These give ``recommend.p50_ms`` and ``recommend.p99_ms``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.load import Load, closed_loop, is_ok, open_loop, wait_until
from benchmarks.recommend.shop import EXPECTED, paths, requests_to
from benchmarks.server_process import ServerProcess, free_port
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.replay_start import anchor
from infra.command import command_settings
from infra.models.model_store import ModelStore, ModelStoreError
from infra.redis_server.server import EVENTS, FEATURES, start
from infra.settings import Settings

WARM_UP, TURN, NAIVE_TURN = 100, 40, 8  # requests
CONNECTIONS, OPEN_LOOP_CONNECTIONS = 8, 32
CAPACITY_REQUESTS = 1_000
SLICE_S, REST_S = 5.0, 0.3
STAGES = "rerank_recommend_stage_seconds"


@contextlib.contextmanager
def servers(settings: Settings) -> Iterator[dict[str, ServerProcess]]:
    shared = {
        "RERANK_DATASET": settings.dataset,
        "RERANK_DATA_DIR": str(settings.data_dir),
        "RERANK_STATE_DIR": str(settings.state_dir),
        "RERANK_PARAMS_FILE": str(settings.params_file),
        "RERANK_CLOCK": "replay",
        "RERANK_LOG_LEVEL": "WARNING",
        "RERANK_SCORE_LOG_MB": "0",
        "RERANK_READY_NEEDS": "store,recommend",
        **{name: url for name, url in _urls(settings).items() if url},
    }
    commands = {
        "ours": (["-m", "serving"], "/readyz"),
        "naive": (["-m", "benchmarks.recommend.servers"], "/healthz"),
    }
    running: dict[str, ServerProcess] = {}
    try:
        for name, (command, ready) in commands.items():
            port = free_port()
            where = [] if name == "ours" else ["--port", str(port)]
            running[name] = ServerProcess.start([*command, *where], shared | {"RERANK_PORT": str(port)}, port)
            wait_until(running[name].url + ready, lambda status, _: status == 200, running[name].process, 600)
            print(f"  {name} is up", flush=True)
        yield running
    finally:
        for server in running.values():
            server.stop()


def one_connection(running: dict[str, ServerProcess], asked: list[str], rounds: int) -> dict[str, Any]:
    """Both servers in turns. The stages are of ours."""
    requests = {name: requests_to(server.url, asked) for name, server in running.items()}
    counts = {"ours": TURN, "naive": NAIVE_TURN}
    for name, server in running.items():
        closed_loop(server.url, requests[name], WARM_UP if name == "ours" else NAIVE_TURN, expected=EXPECTED)
    before = stages(running["ours"])
    loads: dict[str, list[Load]] = {name: [] for name in running}
    for k in range(rounds):
        for name, server in running.items():
            load = closed_loop(server.url, requests[name], counts[name], expected=EXPECTED, first=k * counts[name])
            _must_be_right(name, load)
            loads[name].append(load)
    after = stages(running["ours"])
    found: dict[str, Any] = {name: Load.together(each).percentiles() for name, each in loads.items()}
    for name, each in loads.items():
        found[name]["requests"] = sum(len(load.seconds) for load in each)
    found["naive_over_ours"] = round(found["naive"]["p50_ms"] / found["ours"]["p50_ms"], 1)
    requested = found["ours"]["requests"]
    found["stages_ms"] = {name: round((after[name] - before.get(name, 0.0)) / requested * 1e3, 3) for name in after}
    print(f"\none connection: {json.dumps(found)}", flush=True)
    return found


def half_capacity(server: ServerProcess, asked: list[str], slices: int) -> dict[str, Any]:
    """Of all slices together, and of each."""
    requests = requests_to(server.url, asked)
    loads, each = [], []
    for _ in range(slices):
        full = closed_loop(server.url, requests, CAPACITY_REQUESTS, CONNECTIONS, EXPECTED)
        time.sleep(REST_S)
        load = open_loop(server.url, requests, full.rate / 2, SLICE_S, OPEN_LOOP_CONNECTIONS, EXPECTED)
        for one in (full, load):
            _must_be_right("ours", one)
        loads.append(load)
        each.append({"capacity": round(full.rate, 1), **_figures(load)})
        print(f"    {each[-1]}", flush=True)
    together = _figures(Load.together(loads))
    print(f"  at half the capacity: {together}", flush=True)
    return {**together, "slices": each}


def stages(server: ServerProcess) -> dict[str, float]:
    """Stage -> seconds so far."""
    text = wait_until(f"{server.url}/metrics", is_ok, server.process).decode()
    found = {}
    for line in text.splitlines():
        if line.startswith(f"{STAGES}_sum{{"):
            stage, _, value = line.partition('stage="')[2].partition('"} ')
            found[stage] = float(value)
    return found


def measure(settings: Settings, quick: bool) -> dict[str, Any]:
    """Raises ModelStoreError without a champion, and RuntimeError where a server cannot serve."""
    rounds, slices = (3, 1) if quick else (25, 8)
    model = ModelStore(settings, settings.recommend_name).load()
    for role in (FEATURES, EVENTS):
        start(settings, role, stays=False)
    anchor(settings)
    asked = paths(settings, declaration_of(settings))
    with servers(settings) as running:
        found: dict[str, Any] = {"model": model.version, "kind": model.kind, "features": len(model.contract.features)}
        found["one_connection"] = one_connection(running, asked, rounds)
        found["recommend"] = half_capacity(running["ours"], asked, slices)
        found["recommend"]["stages_ms"] = found["one_connection"]["stages_ms"]
        found["memory_mb"] = {name: round(server.memory_mb()) for name, server in running.items()}
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommend", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    arguments = parser.parse_args(argv)
    try:
        found = measure(command_settings(), arguments.quick)
    except ModelStoreError as error:
        print(f"benchmarks.recommend: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _figures(load: Load) -> dict[str, Any]:
    found = {"rate": round(load.rate, 1), "requests": len(load.seconds), **load.percentiles()}
    found["p99_over_p50"] = round(found["p99_ms"] / found["p50_ms"], 2)
    return found


def _must_be_right(name: str, load: Load) -> None:
    if load.wrong:
        raise RuntimeError(f"{name}: {load.wrong} of {len(load.seconds)} requests failed, were degraded or had no item")


def _urls(settings: Settings) -> dict[str, str | None]:
    return {
        "RERANK_REDIS_URL": settings.redis_url,
        "RERANK_EVENTS_REDIS_URL": settings.events_redis_url,
        "RERANK_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
    }


if __name__ == "__main__":
    sys.exit(main())
