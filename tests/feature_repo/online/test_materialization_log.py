from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from feature_repo.online.materialization_log import MaterializationLog, Run

START = datetime(2018, 1, 1, 4, tzinfo=UTC)


@dataclass
class SteppingClock:
    """Each call of ``now`` returns a time one second later."""

    mode: str = "stepping"
    times: list[datetime] = field(default_factory=list)

    def now(self) -> datetime:
        self.times.append(START + timedelta(seconds=len(self.times)))
        return self.times[-1]


def test_a_run_is_recorded_at_its_start_and_at_its_end(client: redis.Redis) -> None:
    run_log = MaterializationLog(client, "shop", SteppingClock())
    run = run_log.start("prices", START - timedelta(days=1), START)
    started = Run(run.id, "prices", "2017-12-31T04:00:00+00:00", "2018-01-01T04:00:00+00:00", START.isoformat())
    assert run_log.runs() == [started]
    done = run_log.finish(run, rows=5, written=3, newest=START)
    counted = {"rows": 5, "written": 3, "newest": START.isoformat()}
    assert done == Run(**{**vars(started), "finished": "2018-01-01T04:00:01+00:00", **counted})
    assert run_log.runs() == [done]


def test_runs_are_ordered_by_their_start_and_unfinished_ones_are_included(client: redis.Redis) -> None:
    run_log = MaterializationLog(client, "shop", SteppingClock())
    first, second, third = (run_log.start(name, START, START) for name in "zyx")
    run_log.finish(third, 1, 1)
    run_log.finish(first, 1, 1)
    assert [(run.view, run.finished is None) for run in run_log.runs()] == [("z", False), ("y", True), ("x", False)]
    assert second in run_log.runs()


def test_each_project_has_its_own_log(client: redis.Redis) -> None:
    MaterializationLog(client, "shop", SteppingClock()).start("prices", START, START)
    assert MaterializationLog(client, "other", SteppingClock()).runs() == []
