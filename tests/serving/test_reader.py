"""What the reader hands on, from a real Redis that Feast filled."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.materialize import materialize
from feature_repo.model_features import feature_matrix
from feature_repo.schema import ITEM_WINDOWS, SESSION_EXPIRY
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.redis_server import start, stop
from infra.settings import Settings
from serving.reader import FeastReader, Keys
from tests.small_log import DECLARATION, at, event, impression, item, write_log
from training.point_in_time import PointInTimeReader

END = at(20, 100)
FOREVER = float("inf")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    settings = Settings(data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1, redis_timeout_s=2)
    items = [item(name, price=i + 1.0) for i, name in enumerate("abc")]
    events = [
        event(day * 10 + i, at(day, i), "order", name, session_id=f"old{day}", value=1.0)
        for day in range(15)
        for i, name in enumerate("ab")
    ] + [
        event(500, at(20, 50), "add_to_cart", "a", session_id="live"),
        event(501, at(20, 60), "remove_from_cart", "c", session_id="empty"),
    ]
    write_log(settings.log_dir, items=items, events=events, impressions=[impression("1", 0, END, "a")])
    start(settings)
    try:
        build(settings)
        apply(settings)
        materialize(settings, FixedClock(END))
        yield settings
    finally:
        stop(settings)


@pytest.fixture(scope="module")
def reader(settings):
    return FeastReader(open_store(settings, offline=False), DECLARATION)


def keys(*items: str, user: str = "u", session: str = "live", when=END) -> Keys:
    return Keys(user, session, items, int(when.timestamp() * 1e6))


def test_values_come_as_the_features_expect_them(reader):
    found = reader.read(keys("a", "b"), FOREVER)
    assert found.complete
    assert found.items["price"].dtype == np.float32
    assert found.items["price"].tolist() == [1, 2]
    assert found.items["first_seen_us"].dtype == np.float64
    assert found.items["category_id"].tolist() == ["c", "c"]
    assert found.user["history_items"] == ["b", "a"]
    assert found.session["cart_items"] == ["a"]
    assert found.companions["a"] == (["b"], [1.0])


def test_online_and_offline_make_the_same_matrix_of_the_same_moment(settings, reader):
    """With a cart, its companions, an emptied cart, and everything unknown; before and after rows expire."""
    offline = PointInTimeReader(open_store(settings), DECLARATION)
    for user, session in (("u", "live"), ("u", "empty"), ("nobody", "none")):
        for when in (END, at(21, 1), at(60)):
            rows = [impression("1", i, when, each, user_id=user, session_id=session) for i, each in enumerate("abcx")]
            frame = pd.DataFrame(rows)
            (expected,) = offline.read(frame)
            found = reader.read(keys(*"abcx", user=user, session=session, when=when), FOREVER)
            online = replace(
                expected, items=found.items, user=found.user, session=found.session, companions=found.companions
            )
            bits = [feature_matrix(slate, DECLARATION).view(np.uint32) for slate in (online, expected)]
            np.testing.assert_array_equal(*bits)


def test_what_is_unknown_is_missing_and_counted(reader):
    found = reader.read(keys("a", "x", "y", user="nobody", session="none"), FOREVER)
    assert found.missing_items == 2
    assert np.isnan(found.items["price"]).tolist() == [False, True, True]
    assert found.user == found.session == found.companions == {}


def test_an_empty_list_is_not_a_missing_one(reader):
    assert reader.read(keys("a", session="empty"), FOREVER).session["cart_items"] == []


def test_a_row_is_valid_until_its_ttl_and_not_a_second_longer(reader):
    born = at(20, 50)
    last = born + SESSION_EXPIRY
    assert reader.read(keys("a", when=last), FOREVER).session
    assert not reader.read(keys("a", when=last + timedelta(seconds=1)), FOREVER).session


def test_each_view_has_a_ttl_of_its_own(reader):
    found = reader.read(keys("a", when=at(20) + ITEM_WINDOWS.ttl + timedelta(days=5)), FOREVER)
    assert np.isnan(found.items["orders_28d"]).all()
    assert not np.isnan(found.items["price"]).any()
    assert found.missing_items == 0


def test_a_row_from_the_future_is_missing(reader):
    assert not reader.read(keys("a", when=at(20, 49)), FOREVER).session
    assert not reader.read(keys("a", when=at(0, 5)), FOREVER).user


def test_the_number_of_reads_does_not_grow_with_the_candidates(settings):
    store = open_store(settings, offline=False)
    calls = []
    original = store.get_online_features
    store.get_online_features = lambda *a, **k: calls.append(1) or original(*a, **k)
    reader = FeastReader(store, DECLARATION)
    reader.read(keys("a"), FOREVER)
    few = len(calls)
    reader.read(keys(*(f"i{i}" for i in range(300))), FOREVER)
    assert len(calls) - few == few == 4


def test_after_the_deadline_nothing_more_is_read(reader):
    found = reader.read(keys("a", "b"), deadline=0.0)
    assert not found.complete
    assert found.missing_items == 2
    assert np.isnan(found.items["price"]).all()


def test_a_store_that_is_away_leaves_everything_missing(settings):
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    found = FeastReader(open_store(away, offline=False), DECLARATION).read(keys("a"), FOREVER)
    assert not found.complete
    assert found.user == {}
