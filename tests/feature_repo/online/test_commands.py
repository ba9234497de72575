"""The documented commands, run as processes: ``feast -c REPO materialize`` and ``materialize-incremental``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
import yaml
from feast import FeatureStore

from feature_repo.definitions.repo_paths import REPO
from feature_repo.online.materialization_log import MaterializationLog, Run
from infra.clock import WallClock, set_anchor
from infra.settings import Settings

pytestmark = pytest.mark.slow  # the same rules without a process: test_engine*.py

PROJECT = "shop"
KNOWN = datetime(2018, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DEFINITIONS = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float32, String

item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
prices = FeatureView(
    name="prices", entities=[item], ttl=timedelta(days=30), online=True,
    schema=[Field(name="item_id", dtype=String), Field(name="price", dtype=Float32)],
    source=FileSource(name="prices_parquet", path="{path}", timestamp_field="event_timestamp",
                      created_timestamp_column="created_timestamp"),
)
"""


class Repo:
    """A Feast repository with our feature_store.yaml, and the environment variables with the address of Redis."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder
        self.parquet = folder.parent / "prices.parquet"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_MULTIPROC")},
            "RERANK_STATE_DIR": str(settings.state_dir),
            "RERANK_DATA_DIR": str(settings.data_dir),
            "RERANK_DATASET": PROJECT,
            "RERANK_CLOCK": "replay",
        }
        folder.mkdir()
        body = yaml.safe_load((REPO / "feature_store.yaml").read_text())
        body |= {"project": PROJECT, "registry": str(folder.parent / "registry.db")}
        (folder / "feature_store.yaml").write_text(yaml.safe_dump(body))
        (folder / "definitions.py").write_text(DEFINITIONS.format(path=self.parquet))

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).with_name("feast")), "-c", str(self.folder), *arguments]

    def feast(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done

    def write(self, items: list[str], days: list[int]) -> None:
        timestamps = pa.array([KNOWN + day * DAY for day in days], pa.timestamp("us", "UTC"))
        prices = pa.array([float(day) for day in days], pa.float32())
        table = {"item_id": items, "event_timestamp": timestamps, "created_timestamp": timestamps, "price": prices}
        pq.write_table(pa.table(table), self.parquet)

    def online(self, *items: str) -> list[float | None]:
        rows = [{"item_id": item} for item in items]
        found: list[float | None] = (
            FeatureStore(self.folder).get_online_features(["prices:price"], rows).to_dict()["price"]
        )
        return found


@pytest.fixture
def repo(redis_settings: Settings, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    repo = Repo(tmp_path / "repo", redis_settings)
    for name in ("RERANK_STATE_DIR", "RERANK_DATA_DIR", "RERANK_DATASET"):
        monkeypatch.setenv(name, repo.environment[name])
    set_anchor(redis_settings.clock_file, KNOWN + 9 * DAY)
    return repo


def runs(client: redis.Redis) -> list[Run]:
    return MaterializationLog(client, PROJECT, WallClock()).runs()


def test_materialize_and_then_materialize_incremental(repo: Repo, client: redis.Redis) -> None:
    repo.write(["a", "b"], [0, 1])
    repo.feast("apply")
    done = repo.feast("materialize", "2017-12-01T00:00:00", "2018-01-03T00:00:00")
    assert "prices: 2 rows" in done.stderr
    assert repo.online("a", "b", "late") == [0.0, 1.0, None]
    repo.write(["a", "b", "late"], [3, 1, 1])
    repo.feast("materialize-incremental", "2018-01-05T00:00:00")
    assert repo.online("a", "b", "late") == [3.0, 1.0, 1.0]
    first, second = runs(client)
    assert (first.view, first.first, first.rows) == ("prices", "2017-12-01T00:00:00+00:00", 2)
    assert (second.first, second.last, second.rows) == ("2017-12-06T00:00:00+00:00", "2018-01-05T00:00:00+00:00", 3)
    assert first.finished is not None
    assert KNOWN + 9 * DAY <= datetime.fromisoformat(first.started) < KNOWN + 10 * DAY  # the replayed time
    assert datetime.fromisoformat(first.started) <= datetime.fromisoformat(first.finished)


def test_the_first_incremental_run_over_an_old_log_reads_its_rows(repo: Repo) -> None:
    """Feast's own engine would start at the wall clock's now - ttl and read nothing."""
    repo.write(["a", "b"], [0, 1])
    repo.feast("apply")
    repo.feast("materialize-incremental", "2018-01-05T00:00:00")
    assert repo.online("a", "b") == [0.0, 1.0]


def test_a_run_that_is_killed_halfway_can_be_run_again(repo: Repo, client: redis.Redis) -> None:
    count = 60_000
    repo.write([f"i{i}" for i in range(count)], [0] * count)
    repo.feast("apply")
    command = repo.command("materialize", "2017-12-01T00:00:00", "2018-01-03T00:00:00")
    process = subprocess.Popen(command, env=repo.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while client.dbsize() < 3_000:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait(30)
    rows = client.dbsize() - 1  # without the materialization log
    assert 0 < rows < count
    assert [run.finished for run in runs(client)] == [None]
    repo.feast(*command[3:])
    assert client.dbsize() - 1 == count
    assert [run.rows for run in runs(client)] == [None, count]
