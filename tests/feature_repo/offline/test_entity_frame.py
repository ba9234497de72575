"""Entity rows in every form and zone, and frames that cannot be joined, with a real ``FeatureStore``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore

from feature_repo.offline.errors import BadEntityFrame
from tests.feature_repo.offline.price_store import at, frame, prices


def written(rows: pd.DataFrame, folder: Path) -> str:
    pq.write_table(pa.Table.from_pandas(rows), folder / "rows.parquet")
    return f"SELECT * FROM read_parquet('{folder}/rows.parquet') WHERE item_id <> 'z';\n"


FORMS: dict[str, Callable[[pd.DataFrame, Path], pd.DataFrame | pa.Table | str]] = {
    "pandas": lambda rows, folder: rows,
    "arrow": lambda rows, folder: pa.Table.from_pandas(rows),
    "sql": written,
}


@pytest.mark.parametrize("form", FORMS)
def test_pandas_arrow_and_sql_frames_mean_the_same(store: FeatureStore, tmp_path: Path, form: str) -> None:
    rows = FORMS[form](frame(("a", at(10)), ("b", at(9)), ("a", at(9))), tmp_path)
    found = store.get_historical_features(rows, ["prices:price"]).to_arrow()
    assert found.to_pylist() == [
        {"item_id": "a", "event_timestamp": at(10), "price": 3},
        {"item_id": "b", "event_timestamp": at(9), "price": 5},
        {"item_id": "a", "event_timestamp": at(9), "price": 1},
    ]


@pytest.mark.parametrize(
    ("timestamp", "price"),
    [
        (datetime(2024, 5, 1, 10), 3),  # naive is UTC  # noqa: DTZ001
        (datetime(2024, 5, 1, 13, 29, tzinfo=ZoneInfo("Asia/Kolkata")), None),  # 07:59 UTC
        (datetime(2024, 5, 1, 13, 30, tzinfo=ZoneInfo("Asia/Kolkata")), 1),
        (datetime(2024, 5, 1, 5, 59, tzinfo=ZoneInfo("America/New_York")), 1),  # summer time: 09:59 UTC
        (datetime(2024, 5, 1, 6, tzinfo=ZoneInfo("America/New_York")), 3),
        (datetime(2024, 5, 1, 15, 45, tzinfo=timezone(timedelta(hours=5, minutes=45))), 3),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_timestamp_may_be_in_any_zone(
    store: FeatureStore, tmp_path: Path, form: str, timestamp: datetime, price: int | None
) -> None:
    assert prices(store, FORMS[form](frame(("a", timestamp)), tmp_path)) == [price]


def test_a_column_may_hold_timestamps_of_several_zones_or_text(store: FeatureStore) -> None:
    kolkata, new_york = at(10).astimezone(ZoneInfo("Asia/Kolkata")), at(9).astimezone(ZoneInfo("America/New_York"))
    rows = frame(("a", kolkata), ("a", new_york)).astype({"event_timestamp": object})
    assert prices(store, rows) == [3, 1]
    assert prices(store, frame(("a", "2024-05-01T10:00:00Z"), ("a", "2024-05-01T05:00:00-04:00"))) == [3, 1]


def test_the_frame_is_not_changed(store: FeatureStore) -> None:
    rows = frame(("a", at(10).astimezone(ZoneInfo("Asia/Kolkata"))))
    before = rows.copy(deep=True)
    prices(store, rows)
    pd.testing.assert_frame_equal(rows, before)


def test_an_empty_frame_gives_an_empty_table_with_the_same_columns(store: FeatureStore) -> None:
    empty = frame(("a", at(10))).iloc[:0]
    found = store.get_historical_features(empty, ["prices:price"]).to_arrow()
    assert (len(found), found.column_names) == (0, ["item_id", "event_timestamp", "price"])
    assert found["price"].type == pa.int64()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pd.DataFrame({"event_timestamp": [at(9)]}), "no column item_id, the join key of feature view prices"),
        (frame(("a", at(9))).assign(item_id=[1]), "item_id is int64"),
        (frame(("a", at(9)), ("a", pd.NaT)), "event_timestamp is null in 1 rows"),
        (frame(("a", at(9)), price=[1]), "already has price"),
        (frame(("a", at(9))).drop(columns="event_timestamp"), "needs a column event_timestamp"),
        (frame(("a", "yesterday")), "event_timestamp"),
        ("SELECT nothing FROM nowhere", "nowhere"),
        (None, "entity rows are required"),
    ],
)
def test_the_error_names_what_is_wrong_with_a_frame(
    store: FeatureStore, rows: pd.DataFrame | str | None, message: str
) -> None:
    with pytest.raises(BadEntityFrame, match=message):
        prices(store, rows)
