"""The three kinds of source are read to the same clicks, and malformed values are named."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.settings import Settings
from training.gru4rec.errors import BadConfig, BadLog
from training.gru4rec.sessions.sources import read_clicks

VIEWS = ("view",)


@pytest.fixture
def settings(tmp_path):
    return Settings(dataset="x", data_dir=tmp_path / "data", state_dir=tmp_path / "var", threads=1)


def rows(clicks):
    owners, items = clicks.owners.to_pylist(), clicks.items.to_pylist()
    named = zip(clicks.owner, clicks.item, clicks.ts_us, strict=True)
    return [(owners[owner], items[item], int(ts)) for owner, item, ts in named]


def test_events_of_retailrocket_with_the_chosen_actions_are_read_in_time_order(tmp_path, settings):
    path = tmp_path / "events.csv"
    path.write_text(
        "timestamp,visitorid,event,itemid,transactionid\n"
        "3000,7,view,11,\n1000,7,view,12,\n2000,7,addtocart,12,\n2500,7,transaction,12,4\n1000,5,view,13,\n"
    )
    found = read_clicks(path, VIEWS, settings)
    assert rows(found) == [("5", "13", 1_000_000), ("7", "12", 1_000_000), ("7", "11", 3_000_000)]
    assert not found.are_sessions
    assert [row[2] for row in rows(read_clicks(path, ("order", "add_to_cart"), settings))] == [2_000_000, 2_500_000]


def test_sessions_of_a_tsv_and_rows_with_equal_timestamps_stay_in_order(tmp_path, settings):
    path = tmp_path / "clicks.txt"
    path.write_text("SessionId\tItemId\tTime\n9\ta\t5.25\n9\tc\t5.25\n10\tb\t1\n9\tb\t4\n")
    found = read_clicks(path, VIEWS, settings)
    assert rows(found) == [("9", "b", 4_000_000), ("9", "a", 5_250_000), ("9", "c", 5_250_000), ("10", "b", 1_000_000)]
    assert found.are_sessions


def test_item_events_of_a_canonical_log_are_read_by_user(tmp_path, settings):
    timestamp = datetime(2024, 1, 1, tzinfo=UTC)
    pq.write_table(
        pa.table(
            {
                "event_id": ["1", "2", "3", "4"],
                "user_id": ["u", "u", "u", "u"],
                "item_id": ["a", None, "b", "c"],
                "event_ts": pa.array([timestamp] * 4, pa.timestamp("us", tz="UTC")),
                "action": ["view", "view", "view", "like"],
            }
        ),
        tmp_path / "events.parquet",
    )
    assert [row[1] for row in rows(read_clicks(tmp_path, VIEWS, settings))] == ["a", "b"]
    with pytest.raises(BadLog, match="has no item events with one of the actions search"):
        read_clicks(tmp_path, ("search",), settings)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("SessionId\tItemId\n1\t2\n", "column 'Time': the column is missing"),
        ("SessionId\tItemId\tTime\n1\t2\t3\n1\t2\tsoon\n", "column 'Time', row 2: the value 'soon' is not allowed"),
        ("SessionId\tItemId\tTime\n1\t\t3\n", "column 'ItemId', row 1"),
        ("SessionId\tItemId\tTime\n", "the file holds no rows"),
        ("timestamp,visitorid,event,itemid\n1,2,buy,4\n", "column 'event', row 1: the value 'buy' is not allowed"),
        ("timestamp,visitorid,event,itemid\n1,2,view,x\n", "column 'itemid', row 1"),
        ("a,b\n1,2\n", "column 'timestamp': the column is missing"),
        ("", "the file is empty"),
    ],
)
def test_the_error_of_a_malformed_file_names_column_and_row(tmp_path, settings, content, message):
    path = tmp_path / "source.txt"
    path.write_text(content)
    with pytest.raises(BadLog) as refused:
        read_clicks(path, VIEWS, settings)
    assert str(refused.value).startswith(f"{path}")
    assert message in str(refused.value)


def test_a_missing_source_and_an_unknown_action_are_refused(tmp_path, settings):
    with pytest.raises(BadLog, match="No such file"):
        read_clicks(tmp_path / "nothing.csv", VIEWS, settings)
    with pytest.raises(BadLog, match=r"events\.parquet is missing"):
        read_clicks(tmp_path, VIEWS, settings)
    with pytest.raises(BadConfig, match="unknown action 'look'; the actions are impression, view"):
        read_clicks(tmp_path, ("look",), settings)
