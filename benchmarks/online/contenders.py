"""The servers that :mod:`benchmarks.online` measures, each a process of its own, and the requests they get."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Expected, closed_loop, is_ok, requests_of, wait_until
from benchmarks.online.data import IN_A_ROW, ITEMS, bodies, environment, unknown
from benchmarks.server_process import ServerProcess, free_port
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY as DECLARATION
from infra.redis_server import server as redis_server
from infra.settings import Settings
from serving.features.reading import item_views

CONTENDERS = ("ours", "new_users", "uncached", "naive", "floor", "feast_serve")
BODIES = 2_000  # of 500 users


@contextlib.contextmanager
def servers(settings: Settings, workers: int) -> Iterator[dict[str, ServerProcess]]:
    shared = environment(settings, RERANK_WORKERS=str(workers))
    theirs = ["--workers", str(workers)]
    commands: dict[str, tuple[list[str], dict[str, str], str]] = {  # and where it says that it is ready
        "ours": (["-m", "serving"], shared, "/readyz"),
        "uncached": (["-m", "serving"], shared | {"RERANK_ITEM_CACHE_MB": "0"}, "/readyz"),
        "naive": (["-m", "benchmarks.online.servers", "naive", *theirs], shared, "/healthz"),
        "floor": (["-m", "benchmarks.online.servers", "floor", *theirs], shared, "/healthz"),
        "feast_serve": (
            [*feast_command(settings), "serve", "--no-access-log", *theirs],
            {"RERANK_REDIS_URL": redis_url(settings)},
            "/health",
        ),
    }
    running: dict[str, ServerProcess] = {}
    try:
        for name, (command, variables, ready) in commands.items():
            port = free_port()
            where = [] if "serving" in command else ["--port", str(port)]
            running[name] = ServerProcess.start([*command, *where], variables | {"RERANK_PORT": str(port)}, port)
            wait_until(running[name].url + ready, lambda status, _: status == 200, running[name].process)
            print(f"  {name} is up", flush=True)
        for name, items in (("ours", ITEMS), ("uncached", 0)):
            wait_until(f"{running[name].url}/metrics", _is_warm(workers, items), running[name].process)
        _ask_for_unknown_items(running["ours"], workers)
        yield running
    finally:
        for server in running.values():
            server.stop()


def _ask_for_unknown_items(server: ServerProcess, workers: int) -> None:
    """Unknown ids are cached too once they were requested, as in a scorer that has run for a while."""
    numbers = range(ITEMS, ITEMS + unknown(ITEMS))
    body = json.dumps({"items": [{"item_id": f"item{i}"} for i in numbers]}).encode()
    url, is_warm = f"{server.url}/score", _is_warm(workers, ITEMS + len(numbers))
    while not is_warm(200, wait_until(f"{server.url}/metrics", is_ok, server.process)):
        closed_loop(url, requests_of(url, [body]), 8 * workers, 8 * workers)


def feast_command(settings: Settings) -> list[str]:
    yaml = settings.data_dir / settings.dataset / "feature_store.yaml"
    return [str(Path(sys.executable).with_name("feast")), "-f", str(yaml), "-c", "feature_repo"]


def redis_url(settings: Settings) -> str:
    found = redis_server.endpoint(settings)
    return f"redis://{found.host}:{found.port}/{found.db}"


def _is_warm(workers: int, items: int) -> Expected:
    """Whether all workers score by compiled trees and have cached that many items."""

    def is_warm(_: int, metrics: bytes) -> bool:
        compiled, cached = (
            _sum(metrics, series) for series in (b'rerank_engine{name="llvm"} ', b"rerank_cached_items ")
        )
        return compiled == workers and cached >= workers * items

    return is_warm


def _sum(metrics: bytes, series: bytes) -> float:
    return sum(float(line.removeprefix(series)) for line in metrics.splitlines() if line.startswith(series))


def requests_for(name: str, running: dict[str, ServerProcess], candidates: int) -> tuple[str, list[bytes]]:
    server = running["ours" if name == "new_users" else name]
    found = bodies(BODIES, candidates, in_a_row=1 if name == "new_users" else IN_A_ROW)
    if name != "feast_serve":
        url = f"{server.url}/score"
        return url, requests_of(url, found)
    features = [f"{view.name}:{column.name}" for view in item_views(DECLARATION) for column in view.columns]
    asked = [
        {"features": features, "entities": {"item_id": [item["item_id"] for item in json.loads(body)["items"]]}}
        for body in found
    ]
    url = f"{server.url}/get-online-features"
    return url, requests_of(url, [json.dumps(each).encode() for each in asked])
