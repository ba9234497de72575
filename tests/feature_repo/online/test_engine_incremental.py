"""At which timestamp an incremental run starts to read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from feast import FeatureStore
from feast.feature_view import FeatureView
from feast.infra.common.materialization_job import MaterializationTask
from feast.types import Float32

from feature_repo.online import engine
from tests.feature_repo.online.price_table import (
    DAY,
    KNOWN,
    online,
    register,
    write_prices,
)
from tests.feature_repo.online.stores import PROJECT, feature_view


def task(view: FeatureView, start: datetime, end: datetime) -> MaterializationTask:
    return MaterializationTask(PROJECT, view, start, end)


def view_with_watermark(end: datetime, **more: Any) -> FeatureView:
    view = feature_view({"price": Float32}, **more)[1]
    view.materialization_intervals.append((end - DAY, end))
    return view


def test_an_incremental_run_starts_one_ttl_before_its_end() -> None:
    view = view_with_watermark(KNOWN, ttl=7 * DAY)
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), None) == KNOWN - 6 * DAY
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), 3_600) == KNOWN - timedelta(hours=1)
    assert engine.read_from(task(view, KNOWN, KNOWN + 9 * DAY), None) == KNOWN


def test_without_a_ttl_an_incremental_run_starts_at_1970() -> None:
    view = view_with_watermark(KNOWN, ttl=timedelta(0))
    assert engine.read_from(task(view, KNOWN, KNOWN + DAY), None) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_given_range_is_read_unchanged() -> None:
    for view in (view_with_watermark(KNOWN), feature_view({"price": Float32})[1]):
        start = KNOWN - timedelta(hours=5)
        assert engine.read_from(task(view, start, KNOWN + DAY), None) == start
        assert engine.read_from(task(view, start.replace(tzinfo=None), KNOWN + DAY), None) == start


def test_the_first_incremental_run_over_an_old_log_starts_one_ttl_before_its_end() -> None:
    """Feast starts at the wall clock's now - ttl, years after the end of the log."""
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
