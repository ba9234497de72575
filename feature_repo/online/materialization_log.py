"""A log of materialization runs, stored in Redis beside the features, so that both are lost or moved together.

It is a hash with one entry per view and run, about 300 bytes each. An audit that asks what Redis held at a given time
uses the runs that had finished before it. An interrupted or failed run never finishes; it may have written some of its
rows. Runs that no audit can need any more are removed (:func:`outdated`), so the log does not grow for ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from infra.clock import Clock
from infra.limits import MAX_DEADLINE_MS
from infra.redis_server import keys as redis_keys

READING = timedelta(milliseconds=MAX_DEADLINE_MS)  # the longest time from a request's timestamp to its last read


@dataclass(frozen=True)
class Run:
    """One view's materialization.

    first, last: the range of event timestamps that was read, both inclusive
    started:     time by the service's clock
    finished:    time by the service's clock; None until all rows are in Redis
    rows:        number of rows that were read, one per entity key
    written:     number of rows that were not older than the stored ones
    newest:      the newest event timestamp that was read; None without rows

    Times are ISO 8601 in UTC. ``rows``, ``written`` and ``newest`` are None if Feast's own engine ran.
    """

    id: str
    view: str
    first: str
    last: str
    started: str
    finished: str | None = None
    rows: int | None = None
    written: int | None = None
    newest: str | None = None


class MaterializationLog:
    """The runs of one Feast project. ``client``: redis-py's client of a server or of a cluster."""

    def __init__(self, client: Any, project: str, clock: Clock) -> None:
        self._client = client
        self._name = redis_keys.materializations(project)
        self._clock = clock

    def start(self, view: str, first: datetime, last: datetime) -> Run:
        """Record that a run starts now. ``first`` and ``last`` must have a time zone."""
        run = Run(uuid4().hex, view, first.isoformat(), last.isoformat(), self._clock.now().isoformat())
        self._put(run)
        return run

    def finish(self, run: Run, rows: int | None, written: int | None, newest: datetime | None = None) -> Run:
        """Record that all rows of the run are in Redis now. ``newest`` must have a time zone."""
        last = None if newest is None else newest.isoformat()
        done = replace(run, finished=self._clock.now().isoformat(), rows=rows, written=written, newest=last)
        self._put(done)
        return done

    def runs(self) -> list[Run]:
        """All runs, ordered by their start."""
        entries = [Run(**json.loads(entry)) for entry in self._client.hvals(self._name)]
        return sorted(entries, key=lambda run: (datetime.fromisoformat(run.started), run.id))

    def trim(self, oldest: datetime, ttls: Mapping[str, timedelta]) -> int:
        """Remove the outdated runs: see :func:`outdated`. Returns their number."""
        found = outdated(self.runs(), oldest, ttls)
        if found:
            self._client.hdel(self._name, *(run.id for run in found))
        return len(found)

    def _put(self, run: Run) -> None:
        self._client.hset(self._name, run.id, json.dumps(asdict(run)))


def outdated(runs: Sequence[Run], oldest: datetime, ttls: Mapping[str, timedelta]) -> list[Run]:
    """The runs that say nothing about a request that is scored at ``oldest`` or later.

    ``ttls``: by view. A request can only read rows that are no older than the ttl. Such a row tells a run apart from a
    later one only if the later one did not cover it, or had not finished before the request.
    """
    found: list[Run] = []
    kept: list[Run] = []
    for run in sorted(runs, key=lambda run: (datetime.fromisoformat(run.started), run.id), reverse=True):
        ttl = ttls.get(run.view)
        if ttl is not None and (
            datetime.fromisoformat(run.last) < oldest - ttl
            or any(_replaces(later, run, oldest, oldest - ttl) for later in kept if later.view == run.view)
        ):
            found.append(run)
        else:
            kept.append(run)
    return found


def _replaces(later: Run, run: Run, oldest: datetime, first_needed: datetime) -> bool:
    if later.finished is None or datetime.fromisoformat(later.finished) > oldest - READING:
        return False
    first, last = (datetime.fromisoformat(timestamp) for timestamp in (run.first, run.last))
    return datetime.fromisoformat(later.last) >= last and (
        datetime.fromisoformat(later.first) <= max(first, first_needed)
    )
