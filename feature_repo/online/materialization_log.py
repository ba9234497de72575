"""What was materialized and when, kept in Redis beside the features: it is lost and moved together with them.

One entry of a hash per view and run, about 300 bytes. An audit that asks what Redis held at a moment takes the runs
that had finished by then; an interrupted or failed run has started and never finishes, and may have written any part
of its rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from infra.clock import Clock
from infra.redis_server import keys as redis_keys


@dataclass(frozen=True)
class Run:
    """One view's materialization.

    ``first``, ``last``: the range of event timestamps that was read, both inclusive; ``started``, ``finished``: by
    the service's clock, ``finished`` None until all rows are in Redis. All are ISO 8601 in UTC. ``rows``: one per
    entity key; ``written``: those that were not older than what was stored; ``newest``: the newest event timestamp of
    all rows that were there to read, None without any. All three are None where Feast's own engine ran.
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


class Ledger:
    """The runs of one Feast project. ``client``: redis-py's, of a server or of a cluster."""

    def __init__(self, client: Any, project: str, clock: Clock) -> None:
        self._client = client
        self._name = redis_keys.materializations(project)
        self._clock = clock

    def start(self, view: str, first: datetime, last: datetime) -> Run:
        """Record that a run begins now. ``first``, ``last``: aware."""
        run = Run(uuid4().hex, view, first.isoformat(), last.isoformat(), self._clock.now().isoformat())
        self._put(run)
        return run

    def finish(self, run: Run, rows: int | None, written: int | None, newest: datetime | None = None) -> Run:
        """Record that all of the run's rows are in Redis now. ``newest``: aware."""
        last = None if newest is None else newest.isoformat()
        done = replace(run, finished=self._clock.now().isoformat(), rows=rows, written=written, newest=last)
        self._put(done)
        return done

    def runs(self) -> list[Run]:
        """All runs, in the order of their start."""
        entries = [Run(**json.loads(entry)) for entry in self._client.hvals(self._name)]
        return sorted(entries, key=lambda run: (datetime.fromisoformat(run.started), run.id))

    def _put(self, run: Run) -> None:
        self._client.hset(self._name, run.id, json.dumps(asdict(run)))
