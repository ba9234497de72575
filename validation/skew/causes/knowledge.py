"""The data that online could know at a time: the materialization runs, and what was accepted live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from feature_repo.definitions.views import ITEM_ATTRIBUTES, SESSION_STATE
from feature_repo.live.event_files import event_files
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.online.materialization_log import MaterializationLog, Run
from infra.clock import WallClock
from infra.duckdb_connection import connect
from infra.redis_server.server import endpoint
from infra.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
REDIS_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class KnownRun:
    """A materialization of one view, in µs since the epoch: see :class:`feature_repo.online.materialization_log.Run`.

    ``finished_us``: None if it did not finish; then it may have written any part. ``newest_us``: None if not recorded.
    """

    first_us: int
    last_us: int
    started_us: int
    finished_us: int | None
    newest_us: int | None

    def covers(self, event_us: int) -> bool:
        return self.first_us <= event_us <= self.last_us

    def had_finished(self, timestamp_us: int) -> bool:
        return self.finished_us is not None and self.finished_us <= timestamp_us

    def had_not_seen(self, event_us: int, created_us: int) -> bool:
        """Whether the row, which is in the run's range, was not in the files that the run read."""
        return created_us > self.started_us or (self.newest_us is not None and event_us > self.newest_us)


@dataclass(frozen=True)
class Knowledge:
    """``runs``: by view. ``pushed``: (view, key, event timestamp) of the rows that live events and changes write.

    max_delay_us: the max time from a request's timestamp to its last read, from the acceptance of an event to its row
    in the store, and from the end of a run to the eviction of old rows from the scorers' caches
    """

    runs: Mapping[str, Sequence[KnownRun]] = field(default_factory=dict)
    pushed: frozenset[tuple[str, str, int]] = frozenset()
    max_delay_us: int = 0

    def covering(self, view: str, event_us: int) -> list[KnownRun]:
        return [run for run in self.runs.get(view, ()) if run.covers(event_us)]

    def is_pushed(self, view: str, key: str, event_us: int) -> bool:
        return (view, key, event_us) in self.pushed


def read_knowledge(settings: Settings) -> Knowledge:
    """Raises RedisServerError, redis.RedisError, and duckdb.Error for a broken event file."""
    with endpoint(settings).client(REDIS_TIMEOUT_S) as client:
        runs = MaterializationLog(client, settings.dataset, WallClock()).runs()
    return Knowledge(_by_view(runs), _pushed(settings), settings.deadline_ms * 1_000)


def _by_view(runs: Iterable[Run]) -> dict[str, list[KnownRun]]:
    found: dict[str, list[KnownRun]] = {}
    for run in runs:
        timestamps = (run.first, run.last, run.started)
        first, last, started = (_us(timestamp) for timestamp in timestamps)
        finished, newest = (None if timestamp is None else _us(timestamp) for timestamp in (run.finished, run.newest))
        found.setdefault(run.view, []).append(KnownRun(first, last, started, finished, newest))
    return found


def _pushed(settings: Settings) -> frozenset[tuple[str, str, int]]:
    """The timestamp of a live row is the acceptance of what made it plus one microsecond."""
    pushed = (
        (SESSION_STATE.name, "session_id", event_files(settings.live_dir)),
        (ITEM_ATTRIBUTES, "item_id", ITEM_CHANGES.files(settings.live_dir)),
    )
    found: set[tuple[str, str, int]] = set()
    with connect(settings) as connection:
        for view, key, files in pushed:
            if files:
                rows = connection.execute(
                    f"SELECT {key}, epoch_us(received_ts) + 1 FROM read_parquet(?, hive_partitioning = false)",
                    [[str(path) for path in files]],
                ).fetchall()
                found |= {(view, name, timestamp_us) for name, timestamp_us in rows}
    return frozenset(found)


def _us(timestamp: str) -> int:
    return (datetime.fromisoformat(timestamp) - EPOCH) // MICROSECOND
