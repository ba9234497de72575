"""What every reader must do: Feast's SDK, and the hashes read directly."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from feature_repo.definitions.extents import SESSION_EXPIRY
from feature_repo.model_features import feature_matrix
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import Column, DType
from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from serving.features.feast_reader import FeastReader, WrongStore
from serving.features.reading import Keys, unread
from tests.serving import world
from tests.serving.blocking_reader import BlockingRedisReader
from tests.serving.world import DECLARATION, NOW, ROW_AT, VOCABULARY, us

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def store(settings):
    return open_store(settings, offline=False)


@pytest.fixture(scope="module", params=["feast", "online"])
def reader(request, settings, store):
    if request.param == "feast":
        yield FeastReader(store, DECLARATION)
        return
    reader = BlockingRedisReader(endpoint(settings), DECLARATION, settings.dataset)
    yield reader
    reader.close()


def keys(at=NOW, user="u", session="s", items=("a", "b", "c", "z")):
    return Keys(user, session, items, us(at))


def test_item_columns_are_float32_for_numbers_float64_for_timestamps_and_objects_for_strings(reader):
    items = reader.read(keys()).slate.items
    np.testing.assert_array_equal(items["price"], np.array([1.1, 2.2, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(items["first_seen_us"], [world.ago(days=90), world.ago(days=60), np.nan, np.nan])
    assert items["price"].dtype == np.float32
    assert items["first_seen_us"].dtype == np.float64
    assert items["category_id"].tolist() == ["fruit", "bread", None, None]


def test_user_and_session_rows_hold_their_values_and_lists(reader):
    slate = reader.read(keys()).slate
    assert slate.user["history_counts"] == [2, 1]
    assert slate.user["user_orders_all"] == 4.0
    assert slate.user["user_spend_28d"] is None
    assert slate.session["recent_us"] == [world.ago(microseconds=1), world.ago(minutes=3)]


def test_companions_are_those_of_the_items_in_the_cart(reader):
    companions = reader.read(keys()).slate.companions
    assert companions == {"b": (["a", "q"], [np.float32(0.3), np.float32(0.1)])}


def test_an_empty_list_is_an_empty_list_and_not_missing(reader):
    session = reader.read(keys(session="fresh")).slate.session
    assert session["cart_items"] == session["recent_items"] == []
    assert reader.read(keys(session="fresh")).slate.companions == {}


def test_an_entity_that_was_never_written_is_missing_and_counted(reader):
    reading = reader.read(keys(user="nobody", session=None, items=("z", "a", "y")))
    assert (reading.missing.items, reading.missing.user, reading.missing.session) == (2, True, True)
    assert reading.slate.user == reading.slate.session == {}


def test_a_candidate_with_a_row_in_one_view_only_is_not_missing(reader):
    assert reader.read(keys(items=("c",))).missing.items == 0


@pytest.mark.parametrize(
    ("at", "known"),
    [
        (ROW_AT - MICROSECOND, False),
        (ROW_AT, True),
        (ROW_AT + SESSION_EXPIRY, True),
        (ROW_AT + SESSION_EXPIRY + MICROSECOND, False),
    ],
    ids=["before it was known", "as it becomes known", "at the end of its ttl", "just after its ttl"],
)
def test_a_row_counts_from_its_timestamp_to_its_ttl_both_inclusive_to_the_microsecond(reader, at, known):
    reading = reader.read(keys(at=at))
    assert bool(reading.slate.session) is known
    assert reading.missing.session is not known


@pytest.mark.parametrize("view", sorted(world.VIEWS.keys() - {"item_companions"}))
def test_each_view_has_its_own_ttl(reader, view):
    """A value that is read at the end of a view's ttl is missing one microsecond later."""
    end = ROW_AT + world.VIEWS[view].ttl
    column = {"item_attributes": "price", "item_windows": "orders_7d", "item_repeats": "repeats_per_user",
              "user_windows": "user_orders_all", "user_history": "history_items",
              "session_state": "session_views"}[view]  # fmt: skip

    def value(at):
        slate = reader.read(keys(at=at)).slate
        found = {**slate.user, **slate.session, **{name: values[0] for name, values in slate.items.items()}}.get(column)
        return None if isinstance(found, float | np.floating) and np.isnan(found) else found

    assert value(end) is not None
    assert value(end + MICROSECOND) is None


def test_companions_have_their_own_ttl(settings, reader):
    at = ROW_AT + world.VIEWS["item_companions"].ttl
    world.write_row(settings, "session_state", at, session_id="late", cart_items=["b"], recent_items=[])
    assert reader.read(keys(at=at, session="late")).slate.companions.keys() == {"b"}
    assert reader.read(keys(at=at + MICROSECOND, session="late")).slate.companions == {}


def test_the_number_of_calls_does_not_depend_on_the_number_of_candidates(store, monkeypatch):
    reader = FeastReader(store, DECLARATION)
    calls = []
    original = store.get_online_features

    def counted(references, entities, **options):
        calls.append({name: len(ids) for name, ids in entities.items()})
        return original(references, entities, **options)

    monkeypatch.setattr(store, "get_online_features", counted)
    reader.read(keys(items=("a",)))
    few = calls.copy()
    calls.clear()
    reader.read(keys(items=tuple(f"i{i}" for i in range(700))))
    assert few == [{"user_id": 1}, {"session_id": 1}, {"item_id": 1}, {"item_id": 1}]
    assert calls == [{"user_id": 1}, {"session_id": 1}, {"item_id": 700}, {"item_id": 1}]


@pytest.mark.parametrize("session", ["s", "fresh", "none"])
def test_the_matrix_equals_the_point_in_time_joins_bit_for_bit(settings, reader, session):
    entity_rows = pd.DataFrame({"item_id": ["a", "b", "c", "z"]}).assign(
        slate_id="1", user_id="u", session_id=session, shown_ts=pd.Timestamp(NOW), store_id=None,
        **{fact.name: np.float32("nan") for fact in DECLARATION.facts},
    )  # fmt: skip
    (offline,) = PointInTimeReader(open_store(settings), DECLARATION).read(entity_rows)
    online = reader.read(keys(session=session)).slate
    np.testing.assert_array_equal(*(feature_matrix(slate, DECLARATION, VOCABULARY) for slate in (online, offline)))


def test_a_half_written_row_is_read_without_an_error(settings, reader):
    world.write_row(settings, "user_history", ROW_AT, user_id="torn", history_items=["a"], history_counts=[1])
    user = reader.read(keys(user="torn")).slate.user
    assert user["history_items"] == user["history_last_us"] == []


def test_a_row_of_nulls_is_no_row(settings, reader):
    world.write_row(settings, "user_windows", ROW_AT, user_id="hollow")
    assert reader.read(keys(user="hollow")).missing.user


def test_an_unread_slate_has_the_columns_of_a_read_one(reader):
    found, nothing = reader.read(keys()).slate, unread(keys(), DECLARATION).slate
    assert found.items.keys() == nothing.items.keys()
    assert {name: values.dtype for name, values in found.items.items()} == {
        name: values.dtype for name, values in nothing.items.items()
    }
    assert np.isnan(feature_matrix(nothing, DECLARATION, VOCABULARY)[:, 0]).all()


def test_a_registry_without_a_column_of_the_model_is_refused_and_the_column_named(store):
    wider = replace(DECLARATION, item_extras=(Column("weight", DType.FLOAT32, "weight", "kg"),))
    with pytest.raises(WrongStore, match=r"item_attributes:weight.*feature_repo\.apply"):
        FeastReader(store, wider)
