"""``store.materialize`` with the bulk engine: which rows and runs are in Redis at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from feast import FeatureStore, FileSource, RepoConfig
from feast.infra.passthrough_provider import PassthroughProvider
from feast.types import Float32, Int64, String

from feature_repo.online import engine
from feature_repo.online.rows import BadRows
from infra.clock import FixedClock
from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.price_table import (
    BULK,
    DAY,
    KNOWN,
    MICROS,
    features,
    online,
    register,
    runs,
    write_prices,
)
from tests.feature_repo.online.stores import feature_view


def test_the_newest_row_of_each_key_in_the_range_is_served(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    write_prices(
        tmp_path / "p.parquet",
        [
            ("a", KNOWN, KNOWN, 1.0),
            ("a", KNOWN + DAY, KNOWN + DAY, 2.0),
            ("a", KNOWN + 9 * DAY, KNOWN + 9 * DAY, 9.0),  # after the range
            ("b", KNOWN, KNOWN, 3.0),
            ("b", KNOWN, KNOWN + DAY, 4.0),  # a correction
            ("c", KNOWN, KNOWN, None),
        ],
    )
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + 2 * DAY)
    assert online(store, "a", "b", "c", "unknown") == [2.0, 4.0, None, None]
    assert client.dbsize() == 3 + 1  # three rows and the materialization log


def test_feasts_own_engine_and_store_write_the_same(
    store: FeatureStore, config: dict[str, Any], client: redis.Redis, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_prices(tmp_path / "p.parquet", [(f"i{i}", KNOWN, KNOWN, i / 2) for i in range(100)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    ours = features(client)
    client.flushall()
    own = {
        "online_store": {"type": "redis", "connection_string": endpoint.feast_connection_string},
        "batch_engine": {"type": "local"},
    }
    FeatureStore(config=RepoConfig(**config | own)).materialize(KNOWN - DAY, KNOWN + DAY)
    assert features(client) == ours
    assert len(ours) == 100


def test_the_next_run_brings_late_rows_and_corrections(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    rows: list[Any] = [("a", KNOWN, KNOWN, 1.0), ("b", KNOWN, KNOWN, 1.0)]
    write_prices(tmp_path / "p.parquet", rows)
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    rows += [("a", KNOWN, KNOWN + DAY, 2.0), ("b", KNOWN - DAY, KNOWN + DAY, 3.0), ("late", KNOWN - DAY, KNOWN, 4.0)]
    write_prices(tmp_path / "p.parquet", rows)
    store.materialize(KNOWN - 2 * DAY, KNOWN + DAY)
    assert online(store, "a", "b", "late") == [2.0, 1.0, 4.0]


def test_a_push_and_a_materialization_do_not_overwrite_each_others_newer_value(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0), ("b", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    pushed = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "event_timestamp": pd.DatetimeIndex([KNOWN + DAY, KNOWN - DAY]).as_unit("us"),
            "created_timestamp": pd.DatetimeIndex([KNOWN + DAY, KNOWN + DAY]).as_unit("us"),
            "price": pd.array([2.0, 2.0], "float32"),
        }
    )
    store.write_to_online_store("prices", pushed)
    store.materialize(KNOWN - DAY, KNOWN + 5 * DAY)
    assert online(store, "a", "b") == [2.0, 1.0]
    store.write_to_online_store("prices", pushed)
    assert online(store, "a", "b") == [2.0, 1.0]


def test_a_column_added_to_the_view_later_is_filled(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
    """Its rows have the same timestamps as the stored rows."""
    path = tmp_path / "p.parquet"
    write_prices(path, [("a", KNOWN, KNOWN, 1.0)])
    register(store, path)
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    pq.write_table(pq.read_table(path).append_column("stock", pa.array([5])), path)
    entities, view = feature_view({"price": Float32, "stock": Int64}, path=path)
    store.apply([*entities, view])
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    found = store.get_online_features(["prices:price", "prices:stock"], [{"item_id": "a"}]).to_dict()
    assert (found["price"], found["stock"]) == ([1.0], [5])


def test_a_view_may_have_renamed_columns_and_several_join_keys(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    timestamps = pa.array([KNOWN, KNOWN], MICROS)
    pq.write_table(
        pa.table({"item": ["a", "b"], "shop_id": [1, -2], "at": timestamps, "p": pa.array([1.5, 2.5], pa.float32())}),
        path,
    )
    source = FileSource(
        name="s",
        path=str(path),
        timestamp_field="event_timestamp",
        field_mapping={"item": "item_id", "p": "price", "at": "event_timestamp"},
    )
    entities, view = feature_view({"price": Float32}, {"item_id": String, "shop_id": Int64}, source=source)
    store.apply([*entities, view])
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    rows = [{"item_id": "b", "shop_id": -2}, {"item_id": "a", "shop_id": -2}, {"item_id": "a", "shop_id": 1}]
    assert store.get_online_features(["prices:price"], rows).to_dict()["price"] == [2.5, None, 1.5]


def test_a_run_over_an_empty_range_finishes_with_zero_rows(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN + DAY, KNOWN + 2 * DAY)
    (run,) = runs(client)
    assert (run.rows, run.written) == (0, 0)
    assert run.finished


def test_each_run_is_recorded_with_times_of_the_services_clock(
    store: FeatureStore, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = KNOWN + 30 * DAY
    monkeypatch.setattr(engine.BulkMaterializationEngine, "clock", FixedClock(now))
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0), ("b", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    first, second = runs(client)
    assert first.id != second.id
    assert (first.view, first.first, first.last) == ("prices", "2024-04-30T00:00:00+00:00", "2024-05-02T00:00:00+00:00")
    assert first.started == first.finished == now.isoformat()
    assert (first.rows, first.written, second.rows, second.written) == (2, 2, 2, 2)


def test_progress_is_shown_per_view(
    store: FeatureStore, client: redis.Redis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_prices(tmp_path / "p.parquet", [(f"i{i}", KNOWN, KNOWN, 1.0) for i in range(123)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert "prices: 123 rows" in capsys.readouterr().err


def test_an_unknown_option_is_refused(config: dict[str, Any]) -> None:
    mistyped = {"batch_engine": {"type": BULK, "late_minutes": 5}}
    provider = PassthroughProvider(RepoConfig(**config | mistyped))
    with pytest.raises(ValueError, match="late_minutes"):
        assert provider.batch_engine


class Stopped(BaseException):
    """An interruption, like Ctrl-C."""


def test_an_interrupted_run_is_never_finished_and_can_be_run_again(
    store: FeatureStore, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prices(tmp_path / "p.parquet", [(f"i{i}", KNOWN, KNOWN, 1.0) for i in range(60)])
    register(store, tmp_path / "p.parquet")
    monkeypatch.setattr(engine, "CHUNK_ROWS", 10)
    rows_of_batch = engine.rows_of_batch
    batches = []

    def interrupted(batch: pa.RecordBatch, layout: Any) -> Any:
        batches.append(batch)
        if len(batches) == 5:
            raise Stopped
        return rows_of_batch(batch, layout)

    monkeypatch.setattr(engine, "rows_of_batch", interrupted)
    with pytest.raises(Stopped):
        store.materialize(KNOWN - DAY, KNOWN + DAY)
    (run,) = runs(client)
    assert (run.finished, run.rows) == (None, None)
    assert 0 < len(features(client)) < 60
    monkeypatch.setattr(engine, "rows_of_batch", rows_of_batch)
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert len(features(client)) == 60
    assert [(run.rows, bool(run.finished)) for run in runs(client)] == [(None, False), (60, True)]


def test_an_error_is_raised_by_materialize_and_names_the_view(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    path = tmp_path / "p.parquet"
    write_prices(path, [("a", KNOWN, KNOWN, 1.0)])
    table = pq.read_table(path)
    pq.write_table(table.set_column(3, "price", pa.array(["dear"])), path)
    register(store, path)
    with pytest.raises(BadRows, match="feature view prices: feature price: string cannot be stored as FLOAT"):
        store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert [run.finished for run in runs(client)] == [None]
