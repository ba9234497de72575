"""Looking up rows in the feature tables, with results worked out by hand."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.definitions.views import views
from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Slate
from infra.settings import Settings
from tests.small_log import DECLARATION, at
from validation.skew.causes.row_history import RowHistory

NOW = at(10, 3600)


def us(timestamp):
    return int(timestamp.timestamp() * 1e6)


@pytest.fixture
def history(tmp_path):
    """Feature tables with the given rows; other views are empty."""

    def made(**rows):
        settings = Settings(_env_file=None, data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny", threads=1)
        settings.features_dir.mkdir(parents=True)
        for view in views(DECLARATION):
            schema = pa.schema([field.with_nullable(True) for field in view.arrow])
            nothing = dict.fromkeys(schema.names)
            filled = [
                {**nothing, "created_timestamp": row["event_timestamp"], **row} for row in rows.get(view.name, [])
            ]
            pq.write_table(pa.Table.from_pylist(filled, schema), settings.features_dir / f"{view.name}.parquet")
        return RowHistory(settings, DECLARATION)

    return made


def windows(item_id, when, orders, **more):
    return {"item_id": item_id, "event_timestamp": when, "orders_1d": orders, **more}


def record(items=("a",), **read):
    return ScoreRecord(
        "r", us(NOW), "fixed", list(items), np.zeros(len(items)), "m", "1", "h", False, "u", "s",
        read_us={view: np.array(times) for view, times in read.items()},
    )  # fmt: skip


def slate(**session):
    found = Slate(us(NOW), ["a"], {})
    found.session.update(session)
    return found


def evidence(history, one, offline=None):
    (found,) = history.of([one], [offline or slate()])
    return found


def test_a_row_that_online_and_offline_take_does_not_matter(history):
    store = history(item_windows=[windows("a", at(9), 1.0), windows("a", at(10), 2.0)])
    assert evidence(store, record(item_windows=[us(at(10))])).rows == ()


def test_an_older_row_has_its_values_and_the_newer_rows_as_missed(history):
    rows = [windows("a", at(day), float(day)) for day in (8, 9, 10, 11)]
    (row,) = evidence(history(item_windows=rows), record(("x", "a"), item_windows=[0, us(at(8))])).rows
    assert (row.position, row.key, row.read_us) == (1, "a", us(at(8)))
    assert row.missed == ((us(at(10)), us(at(10))), (us(at(9)), us(at(9))))
    assert [version.values["orders_1d"] for version in row.versions] == [8.0]
    assert row.seen["orders_1d"] == 8.0


def test_a_row_that_had_expired_at_the_request_was_not_missed(history):
    rows = [windows("a", NOW - timedelta(days=30), 1.0), windows("b", NOW - timedelta(days=30, microseconds=1), 1.0)]
    found = evidence(history(item_windows=rows), record(("a", "b"), item_windows=[0, 0])).rows
    assert [row.key for row in found] == ["a"]


def test_all_versions_of_a_row_are_found_the_newest_first(history):
    rows = [windows("a", at(10), value, created_timestamp=at(10, value)) for value in (5.0, 9.0, 7.0)]
    (row,) = evidence(history(item_windows=rows), record(item_windows=[us(at(10))])).rows
    assert [version.values["orders_1d"] for version in row.versions] == [9.0, 7.0, 5.0]
    assert [version.created_us for version in row.versions] == [us(at(10, s)) for s in (9, 7, 5)]


def test_a_row_that_is_not_in_the_tables_has_its_neighbours_in_time(history):
    rows = [windows("a", at(day), float(day)) for day in (7, 8, 10)]
    (row,) = evidence(history(item_windows=rows), record(item_windows=[us(at(9))])).rows
    assert row.versions == ()
    assert row.seen is None
    assert {version.values["orders_1d"] for version in row.near} == {8.0, 10.0}


def test_rows_newer_than_the_request_and_expired_rows_matter(history):
    rows = [windows("a", at(11), 1.0), windows("b", at(-21), 2.0)]
    found = evidence(history(item_windows=rows), record(("a", "b"), item_windows=[us(at(11)), us(at(-21))])).rows
    assert [(row.key, row.is_future, row.is_expired, row.seen) for row in found] == [
        ("a", True, False, {}),
        ("b", False, True, {}),
    ]


def test_users_and_sessions_are_looked_up_by_their_ids(history):
    store = history(
        user_windows=[{"user_id": "u", "event_timestamp": at(10), "user_orders_7d": 3.0}],
        session_state=[{"session_id": "s", "event_timestamp": at(10, 60), "session_views": 1.0}],
    )
    found = evidence(store, record(user_windows=[0], session_state=[0])).rows
    assert [(row.view.name, row.key, row.missed[0][0]) for row in found] == [
        ("user_windows", "u", us(at(10))),
        ("session_state", "s", us(at(10, 60))),
    ]


def companions(item_id, when, *others):
    return {
        "item_id": item_id,
        "event_timestamp": when,
        "companion_items": list(others),
        "companion_shares": [0.5] * len(others),
    }


def test_companions_are_those_of_the_cart_that_was_read(history):
    """Online has the session's older row, whose cart is not offline's."""
    sessions = [
        {"session_id": "s", "event_timestamp": NOW - timedelta(minutes=m), "session_views": 1.0, "cart_items": cart}
        for m, cart in ((2, ["b"]), (1, ["c", "b"]))
    ]
    store = history(session_state=sessions, item_companions=[companions("b", at(5), "a"), companions("c", at(5), "z")])
    one = record(session_state=[us(NOW - timedelta(minutes=2))], item_companions=[us(at(5))])
    found = evidence(store, one, slate(cart_items=["c", "b"]))
    assert [row.view.name for row in found.rows] == ["session_state"]
    assert [(row.key, row.read_us, row.chosen.values["companion_items"]) for row in found.cart] == [
        ("b", us(at(5)), ["a"])
    ]
