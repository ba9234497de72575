import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from feature_repo import derived as derived_package
from feature_repo.derived.families import BadFamily, derived_columns, derived_features, found_in
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Row, Slate, floats, timestamps
from infra.models.vocabulary import NO_TEXTS

NOW = int(datetime(2024, 7, 1, 12, 30, tzinfo=UTC).timestamp() * 1e6)  # a Monday
HOUR = 3_600_000_000
DECLARATION = Declaration(
    name="t", title="t", timezone="America/New_York", context=(Column("store_id", DType.STRING, "store"),)
)
USER = {
    "user_orders_all": 4.0,
    "history_items": ["a", "b"],
    "history_categories": ["x", "y"],
    "history_counts": [3, 1],
    "history_first_us": [NOW - 30 * HOUR, NOW - 5 * HOUR],
    "history_last_us": [NOW - 10 * HOUR, NOW - 5 * HOUR],
    "history_decayed_14d": [2.0, 1.0],
    "history_decayed_60d": [2.5, 1.0],
    "history_decayed_180d": [2.75, 1.0],
    "history_weighted_60d": [1.5, 0.75],
    "history_basket_decayed": [2.5, 1.0],
    "history_first_basket": [1, 3],
    "history_last_basket": [4, 3],
    "history_gap_sd_s": [3600.0, 0.0],
    "user_first_seen_us": NOW - 100 * HOUR,
    "user_last_order_us": NOW - 5 * HOUR,
}
SESSION = {
    "session_first_us": NOW - HOUR,
    "session_last_us": NOW - HOUR // 2,
    "cart_items": ["q"],
    "recent_items": ["b", "q", "b"],
    "recent_actions": ["view", "add_to_cart", "like"],
    "recent_us": [NOW - HOUR // 2, NOW - HOUR, NOW - HOUR],
}

OWN = """
from feature_repo.derived.family import derived

@derived(version=1, reads=("item_attributes:price",), gives=(("is_above_mean", "1 above the mean price", "flag"),))
def above_mean(slate, declaration):
    price = slate.items["price"]
    return {"is_above_mean": price > price.mean()}
"""


def slate(**fields) -> Slate:
    items = {
        "category_id": np.array(["x", "y", None], dtype=object),
        "price": floats([1.0, 3.0, None]),
        "first_seen_us": timestamps([NOW - 2 * HOUR, None, None]),
        "last_order_us": timestamps([NOW - HOUR, None, None]),
    }
    fields |= {name: Row(fields[name]) for name in ("user", "session") if name in fields}
    return Slate(**{"scored_us": NOW, "item_ids": ["a", "b", "c"], "items": items, **fields})


def derive(asked: Slate, declaration: Declaration) -> dict[str, np.ndarray]:
    """The derived features as they stand in the matrix, whose other item features are unknown."""
    names = [feature.name for feature in model_features(declaration)]
    unread = {name: np.array([None] * len(asked)) for name in names if name not in asked.items}
    matrix = feature_matrix(replace(asked, items={**unread, **asked.items}), declaration, NO_TEXTS)
    return {feature.name: matrix[:, names.index(feature.name)] for feature in derived_features()}


def test_history_facts_by_hand():
    found = derive(slate(user=USER), DECLARATION)
    assert found["bought_before"].tolist() == [1, 1, 0]
    assert found["bought_count"].tolist() == [3, 1, 0]
    assert found["bought_share"].tolist() == [0.75, 0.25, 0]
    np.testing.assert_array_equal(found["bought_age_s"], np.float32([36_000, 18_000, math.nan]))
    np.testing.assert_array_equal(found["bought_interval_s"], np.float32([36_000, math.nan, math.nan]))
    assert found["bought_due"][0] == 1
    np.testing.assert_array_equal(found["category_share"], np.float32([0.75, 0.25, math.nan]))
    np.testing.assert_array_equal(found["category_age_s"], np.float32([36_000, 18_000, math.nan]))


def test_decayed_orders_are_halved_after_each_half_life():
    days = {"history_last_us": [NOW - 14 * 24 * HOUR, NOW - 180 * 24 * HOUR]}
    found = derive(slate(user={**USER, **days}), DECLARATION)
    assert found["bought_decayed_14d"].tolist() == [1.0, np.float32(2 ** (-180 / 14)), 0]
    assert found["bought_decayed_60d"].tolist() == [np.float32(2.5 * 2 ** (-14 / 60)), 0.125, 0]
    assert found["bought_decayed_180d"].tolist() == [np.float32(2.75 * 2 ** (-14 / 180)), 0.5, 0]


def test_orders_by_baskets_by_hand():
    found = derive(slate(user=USER), DECLARATION)  # 4 baskets so far; a was in 1 to 4, b in 3
    assert found["bought_baskets_ago"].tolist()[:2] == [0, 1]
    assert np.isnan(found["bought_baskets_ago"][2])
    assert found["bought_basket_decayed"].tolist() == [2.5, np.float32(0.97), 0]
    assert found["bought_basket_share"].tolist() == [0.75, 0.5, 0]
    assert found["bought_due_z"][0] == 0  # as long ago as its interval
    assert np.isnan(found["bought_due_z"][1])
    sixty = [2.5 * 2 ** (-10 / 24 / 60), 1.0 * 2 ** (-5 / 24 / 60)]
    assert found["bought_rate"].tolist() == [np.float32(each / sum(sixty)) for each in sixty] + [0]
    weighted = [1.5 * 2 ** (-10 / 24 / 60), 0.75 * 2 ** (-5 / 24 / 60), 0.0]
    assert found["bought_weighted_60d"].tolist() == np.float32(weighted).tolist()


def test_the_decayed_orders_of_a_category_are_those_of_its_items():
    one_category = {"history_categories": ["x", "x"]}
    found = derive(slate(user={**USER, **one_category}), DECLARATION)
    of_items = derive(slate(user=USER), DECLARATION)
    for days in (14, 60, 180):
        total = of_items[f"bought_decayed_{days}d"][:2].astype(np.float64).sum()
        assert found[f"category_decayed_{days}d"][0] == pytest.approx(total, rel=1e-6)
        assert found[f"category_decayed_{days}d"][1] == 0  # the user ordered nothing of y
        assert np.isnan(found[f"category_decayed_{days}d"][2])  # the item has no category


def test_an_item_ordered_twice_at_one_timestamp_has_no_interval():
    twice = {**USER, "history_counts": [3, 2], "history_first_us": USER["history_last_us"]}
    found = derive(slate(user=twice), DECLARATION)
    assert np.isnan(found["bought_interval_s"]).all()
    assert np.isnan(found["bought_due"]).all()


def test_session_facts_by_hand():
    found = derive(slate(session=SESSION), DECLARATION)
    assert found["touched_count"].tolist() == [0, 2, 0]
    assert found["touched_action"].tolist() == [0, 1, 0]
    assert found["touched_last"].tolist() == [0, 1, 0]
    assert found["in_cart"].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found["touched_age_s"], np.float32([math.nan, 1800, math.nan]))
    assert found["session_age_s"].tolist() == [3600] * 3


def test_companion_shares_are_summed_over_the_items_in_the_cart():
    found = derive(slate(companions={"q": (["a", "z"], [0.5, 0.1]), "r": (["a", "b"], [0.25, 0.125])}), DECLARATION)
    assert found["together_sum"].tolist() == [0.75, 0.125, 0]
    assert found["together_max"].tolist() == [0.5, 0.125, 0]


@pytest.mark.parametrize("name", ["bought_before", "category_share", "touched_count", "in_cart", "together_sum"])
def test_the_pair_features_of_an_unknown_user_or_session_are_missing(name):
    assert np.isnan(derive(slate(), DECLARATION)[name]).all()


def test_a_known_user_without_orders_has_zeros_not_missing_values():
    empty = {**USER, **{name: [] for name in USER if name.startswith("history_")}}
    assert derive(slate(user=empty), DECLARATION)["bought_count"].tolist() == [0, 0, 0]


def test_request_facts_are_in_the_data_sets_own_time_zone():
    found = derive(slate(context={"store_id": "330"}), DECLARATION)
    assert found["hour"].tolist() == [8] * 3
    assert found["weekday"].tolist() == [0] * 3
    assert found["input_position"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found["price_vs_slate"], np.float32([0.5, 1.5, math.nan]))


def test_an_age_is_exact_to_the_microsecond_before_it_is_rounded_to_float32():
    late = {**USER, "user_last_order_us": NOW - 1}
    assert derive(slate(user=late), DECLARATION)["user_last_order_age_s"][0] == np.float32(1e-6)


def test_the_matrix_has_every_feature_in_order_and_nan_for_what_was_not_read():
    features = model_features(DECLARATION)
    missing = {feature.name: floats([None] * 3) for feature in features if feature.source.startswith("item")}
    whole = slate(user=USER)
    matrix = feature_matrix(slate(user=USER, items={**missing, **whole.items}), DECLARATION, NO_TEXTS)
    names = [feature.name for feature in features]
    assert matrix.shape == (3, len(names))
    assert matrix.dtype == np.float32
    assert matrix[:, names.index("user_orders_all")].tolist() == [4, 4, 4]
    assert matrix[:, names.index("price")][:2].tolist() == [1, 3]
    assert np.isnan(matrix[:, names.index("session_views")]).all()


def test_the_declared_derived_features_are_the_computed_ones():
    assert [f.name for f in derived_features()] == list(derived_columns(slate(user=USER), DECLARATION))


def test_a_file_of_ones_own_is_a_family_after_those_that_are_built_in(tmp_path, monkeypatch):
    monkeypatch.setattr(derived_package, "__path__", [*derived_package.__path__, str(tmp_path)])
    (tmp_path / "above_mean.py").write_text(OWN)
    for name in ("ages", "family"):
        (tmp_path / f"{name}.py").touch()  # as they stand beside it; imported from where they are
    found = found_in(tmp_path)
    assert [family.name for family in found] == ["ages", "above_mean"]
    assert found[1].features[0].name == "is_above_mean"


def test_a_file_without_a_family_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(derived_package, "__path__", [*derived_package.__path__, str(tmp_path)])
    (tmp_path / "no_family.py").write_text("def no_family(slate, declaration): ...\n")
    with pytest.raises(BadFamily, match=r"derived/no_family.py holds no family no_family: it needs a function of this"):
        found_in(tmp_path)
    (tmp_path / "no_family.py").unlink()
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(BadFamily, match=r"derived/broken.py cannot be executed: ZeroDivisionError"):
        found_in(tmp_path)
