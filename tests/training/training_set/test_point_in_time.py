"""Training rows compared with the time contract, worked out row by row in plain Python."""

from datetime import timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.definitions.extents import SESSION_EXPIRY
from feature_repo.definitions.views import ITEM_WINDOWS
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from training.training_set.build import write_training_set

SPLIT = {"validation_start": at(20).isoformat(), "test_start": at(30).isoformat()}


def slate(name: str, when, items: str, **fields) -> list[dict]:
    return [impression(name, i, when, item_id, int(i == 0), **fields) for i, item_id in enumerate(items)]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pit")
    settings = Settings(
        data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1, redis_url="redis://127.0.0.1:1/0"
    )
    items = [item(name, price=i + 1.0) for i, name in enumerate("abc")]
    events = [event(i, at(i, 7), "order", "ab"[i % 2], session_id=f"old{i}", value=1.0) for i in range(10)]
    events += [
        event(100, at(15, 100), "add_to_cart", "c", session_id="live"),
        event(101, at(15, 160), "view", "a", session_id="live"),
    ]
    impressions = [
        *slate("1", at(5), "abc"),  # exactly on a midnight
        *slate("2", at(15, 160), "cab", session_id="live"),  # at the timestamp of the event
        *slate("3", at(15, 161), "cab", session_id="live"),
        *slate("4", at(15, 161), "bca", session_id="live"),  # another slate with the same timestamp
        *slate("5", at(15, 160) + SESSION_EXPIRY + timedelta(seconds=1), "abc", session_id="live"),
        *slate("6", at(25), "az", user_id="nobody", session_id="none"),  # unknown item, user and session
        *slate("7", at(35), "abc"),
    ]
    write_log(settings.log_dir, items=items, events=events, impressions=impressions)
    build(settings)
    apply(settings)
    write_training_set(settings, SPLIT)
    rows = pq.read_table(settings.training_dir / "training_set.parquet").to_pylist()
    return settings, rows, impressions


def row(log, slate_id: str, item_id: str) -> dict:
    return next(r for r in log[1] if (r["slate_id"], r["item_id"]) == (slate_id, item_id))


def test_every_impression_has_one_row_and_slates_stay_whole_and_in_order(log):
    _, rows, impressions = log
    expected = sorted(impressions, key=lambda i: (i["shown_ts"], i["slate_id"], i["input_position"]))
    assert [(r["slate_id"], r["item_id"]) for r in rows] == [(i["slate_id"], i["item_id"]) for i in expected]


def test_item_windows_are_the_newest_row_that_is_known_and_not_expired(log):
    settings, rows, _ = log
    table = pq.read_table(settings.features_dir / "item_windows.parquet").to_pylist()
    for found in rows:
        known = [
            f
            for f in table
            if f["item_id"] == found["item_id"]
            and f["event_timestamp"] <= found["event_timestamp"] <= f["event_timestamp"] + ITEM_WINDOWS.ttl
        ]
        newest = max(known, key=lambda f: f["event_timestamp"], default=None)
        expected = newest["orders_7d"] if newest else np.nan
        np.testing.assert_equal(found["orders_7d"], expected)


def test_a_slate_at_midnight_gets_the_row_of_that_midnight(log):
    assert row(log, "1", "a")["orders_7d"] == 3  # days 0, 2 and 4


def test_an_event_counts_from_one_microsecond_after_its_receipt(log):
    assert row(log, "2", "a")["touched_count"] == 0
    assert row(log, "2", "a")["session_carts"] == 1
    assert row(log, "3", "a")["touched_count"] == 1
    assert row(log, "3", "c")["in_cart"] == 1


def test_slates_with_equal_timestamps_get_their_own_rows(log):
    assert row(log, "4", "b")["input_position"] == 0
    assert row(log, "4", "a")["input_position"] == 2
    assert row(log, "4", "a")["touched_age_s"] == row(log, "3", "a")["touched_age_s"] == 1


def test_an_expired_session_is_missing(log):
    assert np.isnan(row(log, "5", "a")["session_carts"])
    assert np.isnan(row(log, "5", "a")["in_cart"])


def test_unknown_keys_have_missing_features_but_still_a_row(log):
    unknown = row(log, "6", "z")
    assert np.isnan(unknown["price"])
    assert np.isnan(unknown["bought_count"])
    assert unknown["slate_size"] == 2


def test_ages_in_the_users_history_count_from_the_time_of_scoring(log):
    found = row(log, "7", "a")
    assert found["bought_count"] == 5
    assert found["bought_age_s"] == np.float32((27 * 86_400) - 7)


def test_slates_are_split_by_their_timestamp(log):
    splits = {r["slate_id"]: r["split"] for r in log[1]}
    assert splits == {**dict.fromkeys("12345", "train"), "6": "validation", "7": "test"}
