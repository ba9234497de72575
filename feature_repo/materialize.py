"""``python -m feature_repo.materialize``: feature parquet -> Redis, up to the clock's now.

Each view is read over its ttl: an older row would count as missing anyway. A receipt records view, range,
start and finish; a marker in Redis names the receipt, so that an emptied Redis is seen and filled again
(``--check`` removes a receipt whose Redis does not hold what it says).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import redis
from feast import FeatureStore

from feature_repo.datasets.declarations import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import View, views
from feature_repo.store import open_store
from infra import redis_keys
from infra.clock import Clock, ClockNotAnchored, open_clock
from infra.progress import step
from infra.redis_server import RedisServerError, endpoint
from infra.settings import Settings

PATIENCE_S = 5.0


@dataclass(frozen=True)
class ViewRun:
    """One view's materialization: the range of event times, and when it ran by the service's clock."""

    view: str
    first: str
    last: str
    started: str
    finished: str


def receipt_file(settings: Settings) -> Path:
    return settings.data_dir / settings.dataset / "materialize.json"


def materialize(settings: Settings, clock: Clock) -> list[ViewRun]:
    """Fill Redis with every view's newest rows up to ``clock.now()`` and write the receipt.

    Interrupted halfway there is no receipt, and it can be run again. Raises DatasetError, RedisServerError.
    """
    store = open_store(settings)
    runs = []
    for view in views(declaration_of(settings)):
        with step(f"materialize {view.name}"):
            runs.append(_materialize(view, store, clock))
    body = json.dumps([asdict(run) for run in runs], indent=2) + "\n"
    with endpoint(settings).client(PATIENCE_S) as client:
        client.set(redis_keys.materialized(settings.dataset), _digest(body))
    path = receipt_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(body)
    partial.replace(path)
    return runs


def _materialize(view: View, store: FeatureStore, clock: Clock) -> ViewRun:
    now = clock.now()
    first = now - view.ttl
    store.materialize(start_date=first, end_date=now, feature_views=[view.name])
    return ViewRun(view.name, first.isoformat(), now.isoformat(), now.isoformat(), clock.now().isoformat())


def redis_holds_receipt(settings: Settings) -> bool:
    """Whether Redis was filled by the run that the receipt describes."""
    path = receipt_file(settings)
    if not path.exists():
        return False
    with endpoint(settings).client(PATIENCE_S) as client:
        found = cast("bytes | None", client.get(redis_keys.materialized(settings.dataset)))
    return found is not None and found.decode() == _digest(path.read_text())


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.materialize", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only remove a receipt that Redis does not match")
    arguments = parser.parse_args(argv)
    settings = Settings()
    try:
        if arguments.check:
            if not redis_holds_receipt(settings):
                receipt_file(settings).unlink(missing_ok=True)
                print("Redis is to be filled")
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
