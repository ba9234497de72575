from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import redis

from feature_repo.online.materialization_log import Ledger, Run

START = datetime(2018, 1, 1, 4, tzinfo=UTC)


@dataclass
class SteppingClock:
    """A second later each time it is asked."""

    mode: str = "stepping"
    asked: list[datetime] = field(default_factory=list)

    def now(self) -> datetime:
        self.asked.append(START + timedelta(seconds=len(self.asked)))
        return self.asked[-1]


def test_a_run_is_there_from_its_start_and_finishes_later(client: redis.Redis) -> None:
    ledger = Ledger(client, "shop", SteppingClock())
    run = ledger.start("prices", START - timedelta(days=1), START)
    started = Run(run.id, "prices", "2017-12-31T04:00:00+00:00", "2018-01-01T04:00:00+00:00", START.isoformat())
    assert ledger.runs() == [started]
    done = ledger.finish(run, rows=5, written=3, newest=START)
    counted = {"rows": 5, "written": 3, "newest": START.isoformat()}
    assert done == Run(**{**vars(started), "finished": "2018-01-01T04:00:01+00:00", **counted})
    assert ledger.runs() == [done]


def test_runs_come_in_the_order_of_their_start_and_an_unfinished_one_stays(client: redis.Redis) -> None:
    ledger = Ledger(client, "shop", SteppingClock())
    first, second, third = (ledger.start(name, START, START) for name in "zyx")
    ledger.finish(third, 1, 1)
    ledger.finish(first, 1, 1)
    assert [(run.view, run.finished is None) for run in ledger.runs()] == [("z", False), ("y", True), ("x", False)]
    assert second in ledger.runs()


def test_projects_have_ledgers_of_their_own(client: redis.Redis) -> None:
    Ledger(client, "shop", SteppingClock()).start("prices", START, START)
    assert Ledger(client, "other", SteppingClock()).runs() == []
