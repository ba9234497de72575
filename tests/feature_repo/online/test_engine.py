"""``store.materialize`` with the bulk engine, on both offline stores: one that streams and one that does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis
from feast import BatchFeatureView, FeatureStore, Field, FileSource, RepoConfig
from feast.feature_view import FeatureView
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.types import Float32, Int64, String

from feature_repo.online import engine
from feature_repo.online.materialization_log import Ledger
from feature_repo.online.rows import BadRows
from infra.clock import FixedClock, WallClock
from infra.redis_server.endpoint import Endpoint
from tests.feature_repo.online.stores import OURS, PROJECT, feature_view, hashes

KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROS = pa.timestamp("us", "UTC")
BULK = "feature_repo.online.engine.BulkMaterializationEngine"


@pytest.fixture(params=["duckdb", "feature_repo.offline.store.AsofOfflineStore"])
def config(request: pytest.FixtureRequest, endpoint: Endpoint, tmp_path: Path) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "provider": "local",
        "registry": str(tmp_path / "registry.db"),
        "offline_store": {"type": request.param},
        "online_store": {"type": OURS, "connection_string": endpoint.feast_connection_string},
        "batch_engine": {"type": BULK},
        "entity_key_serialization_version": 3,
        "repo_path": tmp_path,
    }


@pytest.fixture
def store(config: dict[str, Any], client: redis.Redis) -> FeatureStore:
    return FeatureStore(config=RepoConfig(**config))


def write_prices(path: Path, rows: list[tuple[str, datetime, datetime, float | None]]) -> None:
    items, event, created, price = zip(*rows, strict=True)
    table = pa.table(
        {
            "item_id": items,
            "event_timestamp": pa.array(event, MICROS),
            "created_timestamp": pa.array(created, MICROS),
            "price": pa.array(price, pa.float32()),
        }
    )
    pq.write_table(table, path)


def register(store: FeatureStore, path: Path, **more: Any) -> None:
    entities, view = feature_view({"price": Float32}, path=path, **more)
    store.apply([*entities, view])


def online(store: FeatureStore, *items: str) -> list[float | None]:
    rows = [{"item_id": item} for item in items]
    found: list[float | None] = store.get_online_features(["prices:price"], rows).to_dict()["price"]
    return found


def runs(client: redis.Redis) -> list[Any]:
    return Ledger(client, PROJECT, WallClock()).runs()


def test_the_newest_row_of_each_key_in_the_range_is_served(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    write_prices(
        tmp_path / "p.parquet",
        [
            ("a", KNOWN, KNOWN, 1.0),
            ("a", KNOWN + DAY, KNOWN + DAY, 2.0),
            ("a", KNOWN + 9 * DAY, KNOWN + 9 * DAY, 9.0),  # beyond the range
            ("b", KNOWN, KNOWN, 3.0),
            ("b", KNOWN, KNOWN + DAY, 4.0),  # a correction
            ("c", KNOWN, KNOWN, None),
        ],
    )
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + 2 * DAY)
    assert online(store, "a", "b", "c", "unknown") == [2.0, 4.0, None, None]
    assert client.dbsize() == 3 + 1  # and the record


def test_feasts_own_engine_and_store_leave_the_same(
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


def features(client: redis.Redis) -> dict[bytes, dict[bytes, bytes]]:
    return {key: fields for key, fields in hashes(client).items() if key.endswith(b"shop")}


def test_late_data_and_corrections_arrive_with_the_next_run(
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


def test_a_column_that_the_view_gets_later_is_filled(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
    """Its rows have the timestamps that are stored already."""
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


def test_renamed_columns_and_several_join_keys(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
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


def test_an_empty_range_is_a_finished_run_of_no_rows(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN + DAY, KNOWN + 2 * DAY)
    (run,) = runs(client)
    assert (run.rows, run.written) == (0, 0)
    assert run.finished


def test_chunks_hold_at_most_so_many_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHUNK_ROWS", 10)
    monkeypatch.setattr(engine, "CHUNK_BYTES", 1_000)
    short = pa.record_batch({"x": list(range(25))})  # 8 bytes a row
    long = pa.record_batch({"x": ["y" * 400] * 5})
    sizes = [chunk.num_rows for chunk in engine.chunks_of(iter([short, short.slice(0, 0), long]))]
    assert sizes == [10, 10, 5, 2, 2, 1]


def test_a_rate_is_kept_by_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    monkeypatch.setattr(engine.time, "monotonic", lambda: now)
    monkeypatch.setattr(engine.time, "sleep", sleep)
    batches = [pa.record_batch({"x": list(range(1_000))})] * 3
    pieces = list(engine.paced(iter(batches), rows_per_second=1_000))
    assert pa.Table.from_batches(pieces).equals(pa.Table.from_batches(batches))
    assert {piece.num_rows for piece in pieces} == {1_000 // engine.PIECES_PER_SECOND}
    assert now == pytest.approx(3.0 - 1 / engine.PIECES_PER_SECOND)  # the last piece is not waited for
    now += 10  # a stall is not made up for by a burst
    slept.clear()
    list(engine.paced(iter(batches[:1]), rows_per_second=1_000))
    assert sum(slept) > 0.9


def test_a_limited_rate_writes_every_row(config: dict[str, Any], client: redis.Redis, tmp_path: Path) -> None:
    config["batch_engine"] = {"type": BULK, "rows_per_second": 2_000}
    store = FeatureStore(config=RepoConfig(**config))
    write_prices(tmp_path / "p.parquet", [(f"i{k}", KNOWN, KNOWN, float(k)) for k in range(300)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    (run,) = runs(client)
    assert (run.rows, run.written) == (300, 300)


# ------------------------------------------------------------------------------------- interruption


class Stopped(BaseException):
    """Like a Ctrl-C."""


def test_an_interrupted_run_is_never_finished_and_can_be_run_again(
    store: FeatureStore, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prices(tmp_path / "p.parquet", [(f"i{i}", KNOWN, KNOWN, 1.0) for i in range(60)])
    register(store, tmp_path / "p.parquet")
    monkeypatch.setattr(engine, "CHUNK_ROWS", 10)
    whole = engine.rows_of_batch
    seen = []

    def interrupted(batch: pa.RecordBatch, layout: Any) -> Any:
        seen.append(batch)
        if len(seen) == 5:
            raise Stopped
        return whole(batch, layout)

    monkeypatch.setattr(engine, "rows_of_batch", interrupted)
    with pytest.raises(Stopped):
        store.materialize(KNOWN - DAY, KNOWN + DAY)
    (run,) = runs(client)
    assert (run.finished, run.rows) == (None, None)
    assert 0 < len(features(client)) < 60
    monkeypatch.setattr(engine, "rows_of_batch", whole)
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


# ------------------------------------------------------------------------------------------ record


def test_each_run_is_recorded_by_the_services_clock(
    store: FeatureStore, client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2018, 1, 1, 4, tzinfo=UTC)
    monkeypatch.setattr(engine, "_clock", lambda: FixedClock(now))
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


# --------------------------------------------------------------------------------- the slow road


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"enable_validation": True}, "its rows are to be validated"),
        ({"offline": True}, "it is written to the offline store too"),
    ],
)
def test_what_is_not_supported_goes_feasts_road_with_a_warning(
    store: FeatureStore,
    client: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    more: dict[str, Any],
    reason: str,
) -> None:
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    table = pq.read_table(tmp_path / "p.parquet")
    order = ["item_id", "price", "event_timestamp", "created_timestamp"]  # in which Feast writes to the offline store
    pq.write_table(table.select(order), tmp_path / "p.parquet")
    register(store, tmp_path / "p.parquet", **more)
    with caplog.at_level(logging.WARNING):
        store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert f"feature view prices goes Feast's slow road: {reason}" in caplog.text
    assert online(store, "a") == [1.0]
    (run,) = runs(client)
    assert run.finished
    assert run.rows is None


def test_a_transformation_is_left_to_feast(
    store: FeatureStore,
    client: redis.Redis,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Called, not carried out: over a DuckDB store Feast 0.67 reads no columns for it and fails."""
    path = tmp_path / "p.parquet"
    write_prices(path, [("a", KNOWN, KNOWN, 1.5)])
    entities, plain = feature_view({"price": Float32}, path=path)
    view = BatchFeatureView(
        name="prices",
        entities=entities,
        mode="pandas",
        udf=lambda frame: frame,
        udf_string="lambda frame: frame",
        ttl=plain.ttl,
        schema=[Field(name="item_id", dtype=String), Field(name="price", dtype=Float32)],
        source=plain.batch_source,
        online=True,
    )
    store.apply([*entities, view])
    done = LocalMaterializationJob("feast's", MaterializationJobStatus.SUCCEEDED)
    monkeypatch.setattr(LocalComputeEngine, "_materialize_one", lambda *_, **__: done)
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert "it is a BatchFeatureView; it has a transformation" in caplog.text
    assert features(client) == {}
    assert [run.rows for run in runs(client) if run.finished] == [None]


def test_with_another_online_store_it_is_feasts_engine(
    config: dict[str, Any], client: redis.Redis, endpoint: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    online_store = {"type": "redis", "connection_string": endpoint.feast_connection_string}
    store = FeatureStore(config=RepoConfig(**config | {"online_store": online_store}))
    write_prices(tmp_path / "p.parquet", [("a", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    assert "the online store is a RedisOnlineStore" in caplog.text
    assert online(store, "a") == [1.0]
    assert runs(client) == []


# ------------------------------------------------------------------------------------- incremental


def task(view: FeatureView, start: datetime, end: datetime) -> MaterializationTask:
    return MaterializationTask(PROJECT, view, start, end)


def seen_to(end: datetime, **more: Any) -> FeatureView:
    view = feature_view({"price": Float32}, **more)[1]
    view.materialization_intervals.append((end - DAY, end))
    return view


def test_an_incremental_run_reaches_back_over_the_ttl() -> None:
    view = seen_to(KNOWN, ttl=7 * DAY)
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), None) == KNOWN - 6 * DAY
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), 3_600) == KNOWN - timedelta(hours=1)
    assert engine.read_from(task(view, KNOWN, KNOWN + 9 * DAY), None) == KNOWN


def test_without_a_ttl_it_reaches_back_to_the_beginning() -> None:
    view = seen_to(KNOWN, ttl=timedelta(0))
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), None) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_given_range_is_taken_as_it_is() -> None:
    for view in (seen_to(KNOWN), feature_view({"price": Float32})[1]):
        start = KNOWN - timedelta(hours=5)
        assert engine.read_from(task(view, start, KNOWN + DAY), None) == start
        assert engine.read_from(task(view, start.replace(tzinfo=None), KNOWN + DAY), None) == start


def test_the_first_incremental_run_over_a_log_of_the_past_reads_the_ttl_before_its_end() -> None:
    """Feast begins at the wall clock's now - ttl, years behind the end."""
    view = feature_view({"price": Float32}, ttl=7 * DAY)[1]
    assert engine.read_from(task(view, KNOWN + 300 * DAY, KNOWN), None) == KNOWN - 7 * DAY


def test_materialize_incremental_brings_late_rows(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
    rows: list[Any] = [("a", KNOWN, KNOWN, 1.0)]
    write_prices(tmp_path / "p.parquet", rows)
    register(store, tmp_path / "p.parquet")
    store.materialize_incremental(KNOWN + DAY)
    assert online(store, "a") == [1.0]
    rows += [("late", KNOWN - DAY, KNOWN, 2.0), ("a", KNOWN, KNOWN + DAY, 3.0)]
    write_prices(tmp_path / "p.parquet", rows)
    store.materialize_incremental(KNOWN + 2 * DAY)
    assert online(store, "a", "late") == [3.0, 2.0]


def test_an_option_that_does_not_exist_is_refused(config: dict[str, Any]) -> None:
    mistyped = {"batch_engine": {"type": BULK, "late_minutes": 5}}
    provider = FeatureStore(config=RepoConfig(**config | mistyped))._get_provider()
    with pytest.raises(ValueError, match="late_minutes"):
        assert provider.batch_engine


@pytest.fixture(autouse=True)
def _warnings_are_seen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield
