from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from feature_repo.online.materialization_log import READING, MaterializationLog, Run, outdated

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


DAY = timedelta(days=1)
TTL = {"prices": 3 * DAY}


def run(day: float, *, finished: bool = True, days: float = 3, view: str = "prices") -> Run:
    """A materialization at START + ``day`` of the ``days`` before, which takes an hour."""
    now = START + day * DAY
    done = (now + timedelta(hours=1)).isoformat() if finished else None
    return Run(f"{view}{day}", view, (now - days * DAY).isoformat(), now.isoformat(), now.isoformat(), done)


def test_of_daily_runs_those_since_the_oldest_score_and_the_one_before_are_kept() -> None:
    runs = [run(day) for day in range(100)]
    assert outdated(runs, START + 97.5 * DAY, TTL) == runs[96::-1]
    assert outdated(runs, START + 200 * DAY, TTL) == runs[::-1]


def test_a_run_that_had_not_finished_before_the_oldest_score_replaces_no_other() -> None:
    at_its_end = START + DAY + timedelta(hours=1)
    assert outdated([run(0), run(1)], at_its_end, TTL) == []
    assert outdated([run(0), run(1)], at_its_end + READING, TTL) == [run(0)]
    assert outdated([run(0), run(1, finished=False)], START + 2 * DAY, TTL) == []


def test_small_runs_are_kept_as_long_as_their_rows_may_be_read() -> None:
    runs = [run(day, days=1) for day in range(10)]
    assert outdated(runs, START + 9.5 * DAY, TTL) == runs[6::-1]


def test_an_interrupted_run_is_removed_with_those_that_a_later_one_replaces() -> None:
    assert outdated([run(0, finished=False), run(1)], START + 2 * DAY, TTL) == [run(0, finished=False)]


def test_runs_of_other_views_are_no_replacement() -> None:
    assert outdated([run(0), run(1, view="stock")], START + 2 * DAY, TTL | {"stock": 3 * DAY}) == []


def test_trimmed_runs_are_gone_from_redis_and_the_others_stay(client: redis.Redis) -> None:
    run_log = MaterializationLog(client, "trimmed", SteppingClock())
    for _ in range(5):
        run_log.finish(run_log.start("prices", START - 3 * DAY, START), 1, 1)
    last = run_log.runs()[-1]
    assert run_log.trim(START + DAY, TTL) == 4
    assert run_log.runs() == [last]
    assert run_log.trim(START + DAY, TTL) == 0
