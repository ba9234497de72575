"""The marketplace's home page at 20 requests a second: ``python -m benchmarks.web [--json FILE] [--quick]``.

It needs what ``make pipeline`` leaves. Up to 50 users of the log come in, and each of them asks for the home page with
its shelf from /recommend, over and over: first one connection, then at fixed times whatever the server does, timed from
when they were due. The time is what the client sees, so it holds the server's time and a little more. Every page must
have a shelf of the ranker that was not degraded.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.load import closed_loop, open_loop, wait_until
from benchmarks.server_process import ServerProcess, free_port
from benchmarks.web.visitors import is_home_page, requests_of_visitors
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.replay_start import anchor
from infra.command import command_settings
from infra.models.model_store import ModelStore, ModelStoreError
from infra.redis_server.server import EVENTS, FEATURES, start
from infra.settings import Settings
from serving.web.goods.log_users import LogUsers

USERS = 50
WARM_UP, ALONE = 50, 200  # requests
RATE, CONNECTIONS = 20.0, 8
SECONDS, QUICK_SECONDS = 60.0, 5.0
GOAL_MS = 100.0


def measure(settings: Settings, quick: bool) -> dict[str, Any]:
    """Raises ModelStoreError without a champion of /recommend, and RuntimeError for a page that is not right."""
    model = ModelStore(settings, settings.recommend_name).load()
    for role in (FEATURES, EVENTS):
        start(settings, role, stays=False)
    anchor(settings)
    users = [user.user_id for user in LogUsers(settings, declaration_of(settings)).lively(USERS)]
    port = free_port()
    server = ServerProcess.start(["-m", "serving"], _environment(settings, port), port)
    try:
        wait_until(f"{server.url}/readyz", lambda status, _: status == 200, server.process, 120)
        requests = requests_of_visitors(server.url, users)
        closed_loop(server.url, requests, WARM_UP, expected=is_home_page)
        alone = closed_loop(server.url, requests, ALONE, expected=is_home_page)
        load = open_loop(server.url, requests, RATE, QUICK_SECONDS if quick else SECONDS, CONNECTIONS, is_home_page)
        memory_mb = round(server.memory_mb())
    finally:
        server.stop()
    wrong = alone.wrong + load.wrong
    if wrong:
        raise RuntimeError(f"{wrong} home pages failed, were degraded or had no shelf of the ranker")
    return {
        "model": f"{model.name} {model.version} ({model.kind})",
        "users": len(users),
        "one_connection": {"requests": len(alone.seconds), **alone.percentiles()},
        "home": {"rate": round(load.rate, 1), "requests": len(load.seconds), **load.percentiles()},
        "goal_p95_ms": GOAL_MS,
        "memory_mb": memory_mb,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests")
    arguments = parser.parse_args(argv)
    try:
        found = measure(command_settings(), arguments.quick)
    except ModelStoreError as error:
        print(f"benchmarks.web: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _environment(settings: Settings, port: int) -> dict[str, str]:
    named = {
        "RERANK_DATASET": settings.dataset,
        "RERANK_DATA_DIR": str(settings.data_dir),
        "RERANK_STATE_DIR": str(settings.state_dir),
        "RERANK_PARAMS_FILE": str(settings.params_file),
        "RERANK_REDIS_URL": settings.redis_url,
        "RERANK_EVENTS_REDIS_URL": settings.events_redis_url,
        "RERANK_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri,
    }
    given = {name: value for name, value in named.items() if value}
    return {
        **given,
        "RERANK_CLOCK": "replay",
        "RERANK_LOG_LEVEL": "WARNING",
        "RERANK_READY_NEEDS": "store,recommend",
        "RERANK_SHOP": "1",
        "RERANK_HOST": "127.0.0.1",
        "RERANK_PORT": str(port),
    }


if __name__ == "__main__":
    sys.exit(main())
