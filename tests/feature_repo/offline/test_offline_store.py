"""The plugin in a real ``FeatureStore``. Expected values are worked out by hand (see ``price_store``)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from feast import FeatureStore

from tests.feature_repo.offline.price_store import at, frame, open_store, prices


def test_each_row_gets_the_newest_price_by_event_time_within_six_hours(store: FeatureStore) -> None:
    expected = {
        ("a", at(7, 59)): None,
        ("a", at(8)): 1,
        ("a", at(9, 59)): 1,
        ("a", at(10)): 3,
        ("b", at(15)): 5,
        ("b", at(15, 1)): None,
        ("c", at(10)): None,
    }
    assert prices(store, frame(*expected)) == list(expected.values())


def test_the_result_has_the_frames_order_duplicates_and_other_columns(store: FeatureStore) -> None:
    rows = frame(("b", at(10)), ("a", at(9)), ("b", at(10)), note=["x", None, "y"])
    found = store.get_historical_features(rows, ["prices:price"]).to_arrow()
    assert found.column_names == ["item_id", "event_timestamp", "note", "price"]
    assert found["note"].to_pylist() == ["x", None, "y"]
    assert found["price"].to_pylist() == [5, 1, 5]


@pytest.mark.parametrize(("known_at", "price"), [("2024-05-01T11:59:59Z", 2), ("2024-05-01T12:00:00", 3)])
def test_known_at_in_the_yaml_leaves_out_rows_created_later(
    store: FeatureStore, folder: Path, known_at: str, price: int
) -> None:
    assert prices(open_store(folder, known_at=known_at), frame(("a", at(11)))) == [price]
    open_store(folder)


def test_features_known_when_scored_are_those_created_before_or_at_the_entity_timestamp(store: FeatureStore) -> None:
    rows = frame(("a", at(11)), ("a", at(12)))
    found = store.get_historical_features(rows, ["prices:price"], filter_by_created_timestamp=True)
    assert found.to_arrow()["price"].to_pylist() == [2, 3]


def test_full_names_have_the_view_as_prefix(store: FeatureStore) -> None:
    rows = frame(("a", at(9)), shop_id=["s2"])
    found = store.get_historical_features(rows, ["stock:stock", "prices:price"], full_feature_names=True).to_arrow()
    assert found.to_pylist() == [
        {"item_id": "a", "event_timestamp": at(9), "shop_id": "s2", "stock__stock": 30, "prices__price": 1}
    ]


def test_a_view_can_be_joined_twice_under_two_names_and_by_other_columns(store: FeatureStore) -> None:
    rows = pd.DataFrame(
        {"event_timestamp": [at(9)] * 2, "second_id": ["b", "a"], "first_id": ["a", "b"], "shop_id": ["s1", "s2"]}
    )
    service = store.get_feature_service("two_items")
    found = store.get_historical_features(rows, service, full_feature_names=True).to_arrow()
    assert found["first__price"].to_pylist() == [1, 5]
    assert found["second__price"].to_pylist() == [5, 1]
    assert found["stock__stock"].to_pylist() == [20, 30]


@pytest.mark.parametrize("view", ["pandas_total", "python_total"])
@pytest.mark.parametrize("full_names", [False, True])
def test_an_on_demand_view_is_computed_from_features_and_request(
    store: FeatureStore, view: str, full_names: bool
) -> None:
    rows = frame(("b", at(9)), ("a", at(10)), quantity=[2, 4])
    found = store.get_historical_features(rows, [f"{view}:total"], full_feature_names=full_names).to_arrow()
    assert found[f"{view}__total" if full_names else "total"].to_pylist() == [10.0, 12.0]
