"""``python -m feature_repo.materialize``: feature parquet -> Redis, up to the clock's now.

Each view is read over its ttl, because an older row counts as missing. The engine records each run in Redis
(:mod:`feature_repo.online.materialization_log`), and the receipt file lists the same runs. Records that no audit of the
score log can need are removed. ``--check`` removes the
receipt if Redis does not know its runs, so that an emptied Redis is filled again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import redis

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.views import views
from feature_repo.live.score_records import oldest_score
from feature_repo.online.engine import BulkMaterializationEngine
from feature_repo.online.materialization_log import MaterializationLog, Run
from feature_repo.store import open_store
from infra.clock import Clock, ClockNotAnchored, WallClock, open_clock
from infra.command import command_settings
from infra.redis_server.server import RedisServerError, endpoint
from infra.settings import Settings

TIMEOUT_S = 5.0


def receipt_file(settings: Settings) -> Path:
    return settings.data_dir / settings.dataset / "materialize.json"


def materialize(settings: Settings, clock: Clock) -> list[Run]:
    """Fill Redis with the newest rows of every view up to ``clock.now()``, then write the receipt.

    An interrupted run leaves no receipt and can be run again. Raises DatasetError, RedisServerError.
    """
    store = open_store(settings)
    engine = store._get_provider().batch_engine
    if isinstance(engine, BulkMaterializationEngine):
        engine.clock = clock
    with endpoint(settings).client(TIMEOUT_S) as client:
        run_log = MaterializationLog(client, settings.dataset, clock)
        before = {run.id for run in run_log.runs()}
        for view in views(declaration_of(settings)):
            now = clock.now()
            store.materialize(start_date=now - view.ttl, end_date=now, feature_views=[view.name])
        runs = [run for run in run_log.runs() if run.id not in before]
        oldest = oldest_score(settings.live_dir)
        if oldest is None and not settings.score_log_mb:  # else the first scores may wait to be written
            oldest = clock.now()
        if oldest is not None:
            run_log.trim(oldest, {view.name: view.ttl for view in views(declaration_of(settings))})
    _write_receipt(receipt_file(settings), runs)
    return runs


def _write_receipt(path: Path, runs: list[Run]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")
    partial.replace(path)


def redis_holds_receipt(settings: Settings) -> bool:
    """Whether Redis knows every run of the receipt."""
    path = receipt_file(settings)
    if not path.exists():
        return False
    with endpoint(settings).client(TIMEOUT_S) as client:
        known = {run.id for run in MaterializationLog(client, settings.dataset, WallClock()).runs()}
    return known >= {run["id"] for run in json.loads(path.read_text())}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.materialize", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="fill nothing; remove the receipt if Redis does not match it"
    )
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        if arguments.check:
            if not redis_holds_receipt(settings):
                receipt_file(settings).unlink(missing_ok=True)
                print("Redis must be filled again")
            return 0
        clock = open_clock(settings)
        runs = materialize(settings, clock)
    except (DatasetError, RedisServerError, ClockNotAnchored, redis.RedisError) as error:
        print(f"feature_repo.materialize: {error}", file=sys.stderr)
        return 2
    print(f"materialized {len(runs)} views up to {runs[-1].last} ({clock.mode} clock)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
