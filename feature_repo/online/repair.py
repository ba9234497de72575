"""``python -m feature_repo.online.repair [--dry-run]``: find rows from the future in Redis, and replace them.

A row whose event timestamp lies in the future counts as missing for every reader, and being the newest it keeps out all
later rows. Feast's own client writes such a row if it is given one. The command removes these rows and materializes
again. With ``--dry-run`` it only lists them; then the exit status is 1 if there are any.

The row of a live session is written again with the session's next event.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.view import View
from feature_repo.definitions.views import views
from feature_repo.materialize import TIMEOUT_S, materialize
from feature_repo.online.future import latest
from feature_repo.online.redis_format.decoding import event_us
from feature_repo.online.redis_format.entity_keys import ids_in, key_pattern
from feature_repo.online.rows import created_field, event_field, feature_field
from infra.clock import Clock, ClockNotAnchored, epoch_us, open_clock, timestamp_of
from infra.command import command_settings
from infra.redis_server.server import RedisServerError, endpoint
from infra.settings import Settings

SCAN_COUNT = 1_000


@dataclass(frozen=True)
class FutureRow:
    """``key``: of the hash in Redis. ``event_us``: the row's event timestamp, µs since the epoch."""

    view: View
    key: bytes
    event_us: int

    @property
    def fields(self) -> list[bytes]:
        """All fields of the view's row."""
        features = [feature_field(self.view.name, column.name) for column in self.view.columns]
        return [event_field(self.view.name), created_field(self.view.name), *features]

    def __str__(self) -> str:
        return f"{self.view.name}: {self.key!r} at {timestamp_of(self.event_us).isoformat()}"


def future_rows(client: Any, known: Sequence[View], project: str, clock: Clock) -> Iterator[FutureRow]:
    """The rows of ``project`` that are later than any row may be now. Raises redis.RedisError."""
    limit_us = epoch_us(latest(clock))
    for join_keys in dict.fromkeys(view.join_keys for view in known):
        of_key = [view for view in known if view.join_keys == join_keys]
        fields = [event_field(view.name) for view in of_key]
        for keys in _batches(client, join_keys, project):
            with client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(key, fields)
                replies = cast("list[list[bytes | None]]", pipeline.execute())
            for key, stored in zip(keys, replies, strict=True):
                for view, timestamp_us in zip(of_key, event_us(stored).tolist(), strict=True):
                    if timestamp_us > limit_us:
                        yield FutureRow(view, key, timestamp_us)


def remove(client: Any, rows: Sequence[FutureRow]) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for row in rows:
            pipeline.hdel(row.key, *row.fields)
        pipeline.execute()


def repair(settings: Settings, clock: Clock, *, dry_run: bool) -> list[FutureRow]:
    """Returns the rows that were found. Raises DatasetError, RedisServerError, redis.RedisError."""
    known = views(declaration_of(settings))
    with endpoint(settings).client(TIMEOUT_S) as client:
        found = list(future_rows(client, known, settings.dataset, clock))
        if found and not dry_run:
            remove(client, found)
    if found and not dry_run:
        materialize(settings, clock)
    return found


def _batches(client: Any, join_keys: Sequence[str], project: str) -> Iterator[list[bytes]]:
    """The keys of one entity, some of them perhaps twice."""
    keys: list[bytes] = []
    for key in client.scan_iter(key_pattern(join_keys, project), count=SCAN_COUNT):
        if ids_in(key, join_keys, project) is not None:
            keys.append(key)
        if len(keys) == SCAN_COUNT:
            yield keys
            keys = []
    if keys:
        yield keys


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.online.repair", description=__doc__.split("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="only list the rows")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        found = repair(settings, open_clock(settings), dry_run=arguments.dry_run)
    except (DatasetError, RedisServerError, ClockNotAnchored, redis.RedisError) as error:
        print(f"feature_repo.online.repair: {error}", file=sys.stderr)
        return 2
    for row in found:
        print(row)
    done = " removed, and the views materialized again" if found and not arguments.dry_run else ""
    print(f"{len(found)} rows from the future{done}")
    return 1 if found and arguments.dry_run else 0


if __name__ == "__main__":
    sys.exit(main())
