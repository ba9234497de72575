"""``python -m feature_repo.replay_start [--not-before TIMESTAMP]``: set the start time (anchor) of the replay clock.

The anchor is the newest of three times: the end of the log, the newest accepted event or change of an item, the newest
score. The two Redis servers store the last two (:mod:`infra.redis_server.keys`), and the files of the newest day below
the live folder have them too, so that a restarted service does not go back in time, even with an emptied Redis. While a
service runs, its clock stays as it is. ``--not-before`` lets time pass, for this and all later starts, so that the next
day can be tried today. With ``RERANK_CLOCK=wall`` there is no anchor.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import redis

from feature_repo.live.event_files import event_files, reading
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.live.score_records import score_files
from infra.clock import ClockHeld, not_before, open_clock, set_anchor, settable, timestamp_of, timestamp_text
from infra.command import command_settings
from infra.redis_server import keys as redis_keys
from infra.redis_server.server import EVENTS, FEATURES, RedisServerError, Role, endpoint
from infra.settings import Settings

COMMAND = "feature_repo.replay_start"
LOG_ENDS = (("events.parquet", "received_ts"), ("impressions.parquet", "shown_ts"))


class NoLog(RuntimeError):
    """The log has no end, because it is missing, unreadable or empty."""


def log_end(log_dir: Path) -> datetime:
    """The newest ``received_ts`` or ``shown_ts``. Raises NoLog."""
    ends = [_newest_us([log_dir / name], column) for name, column in LOG_ENDS]
    known = [end for end in ends if end is not None]
    if not known:
        raise NoLog(f"{log_dir}: events.parquet and impressions.parquet hold no rows")
    return timestamp_of(max(known))


def newest_known(settings: Settings, role: Role, key: str) -> datetime | None:
    """The time stored under ``key``, None if there is none.

    Raises RedisServerError, redis.RedisError, or ValueError for a key that is not a number.
    """
    with endpoint(settings, role).client() as client:
        value: Any = client.get(key)
    return None if value is None else timestamp_of(int(value))


def anchor(settings: Settings, later: datetime | None = None) -> datetime:
    """Set and return the anchor, not before ``later``. A Redis that cannot be reached is ignored, with a warning.

    Raises NoLog.
    """
    later = later or not_before(settings.clock_file)
    ends = [log_end(settings.log_dir), *_live_ends(settings.live_dir)]
    for role, key in ((EVENTS, redis_keys.newest_event_us), (FEATURES, redis_keys.newest_score_us)):
        try:
            newest = newest_known(settings, role, key(settings.dataset))
        except (RedisServerError, redis.RedisError) as error:
            print(
                f"{COMMAND}: the newest time in the Redis of the {role.name} cannot be read and is ignored: {error}",
                file=sys.stderr,
            )
            continue
        ends += [newest] if newest else []
    return set_anchor(settings.clock_file, max([*ends, later] if later else ends), later).anchor


def _live_ends(live_dir: Path) -> Iterator[datetime]:
    """The newest accepted event, the newest change of an item, and the newest score in files."""
    with reading(live_dir):
        for files, column in (
            (event_files(live_dir), "received_ts"),
            (ITEM_CHANGES.files(live_dir), "received_ts"),
            (score_files(live_dir), "scored_at"),
        ):
            of_newest_day = [path for path in files if path.parent == files[-1].parent]
            try:
                newest = _newest_us(of_newest_day, column) if files else None
            except NoLog as error:
                print(f"{COMMAND}: the newest {column} in files is ignored: {error}", file=sys.stderr)
                continue
            if newest is not None:
                yield timestamp_of(newest)


def _newest_us(paths: Sequence[Path], column: str) -> int | None:
    """Microseconds since the epoch, None for files without rows. Raises NoLog."""
    for path in paths:
        if not path.is_file():
            raise NoLog(f"{path} does not exist: make the log with `python -m feature_repo.datasets`")
    try:
        with duckdb.connect() as connection:
            query = f"SELECT epoch_us(max({column})) FROM read_parquet(?, hive_partitioning = false)"
            row = connection.execute(query, [[str(path) for path in paths]]).fetchone()
    except duckdb.Error as error:
        raise NoLog(f"{paths[0]}: {error}") from error
    return None if row is None or row[0] is None else int(row[0])


def timestamp(text: str) -> datetime:
    """Parse ISO 8601; UTC if it has no time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 timestamp") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {COMMAND}", description=__doc__.split("\n")[0])
    parser.add_argument("--not-before", type=timestamp, metavar="TIMESTAMP", help="ISO 8601; for later starts, too")
    later = parser.parse_args(argv).not_before
    settings = command_settings()
    if settings.clock == "wall":
        print("RERANK_CLOCK=wall: the clock needs no anchor")
        return 0
    try:
        with settable(settings.clock_file):
            print(f"replay clock anchored at {anchor(settings, later).isoformat()}")
    except ClockHeld as held:
        print(f"{held}; it stays as it is, now {timestamp_text(open_clock(settings).now())}")
    except (NoLog, ValueError) as error:
        print(f"{COMMAND}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
