"""The effect of each cause on a slate, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from feature_repo.definitions.views import ITEM_WINDOWS, SESSION_STATE, item_attributes_view, views
from feature_repo.live.score_records import ScoreRecord
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.slate import Row, Slate, column_array
from infra.models.vocabulary import NO_TEXTS
from tests.small_log import DECLARATION
from validation.skew.causes.case import Case
from validation.skew.causes.evidence import Evidence, ReadRow, Version
from validation.skew.causes.knowledge import Knowledge, KnownRun
from validation.skew.causes.value_causes import CAUSES, Default, Degraded, Dtype, Overridden, ShiftedTimestamp, Ttl
from validation.skew.comparison import EQUAL, NAMES, compare, differs

FEATURES = [feature.name for feature in model_features(DECLARATION)]
NOW = 1_710_000_000_000_000
MINUTE = 60_000_000
SESSION = {
    "session_views": 1.0, "session_first_us": NOW - 5 * MINUTE, "session_last_us": NOW - MINUTE,
    "cart_items": [], "recent_items": ["a"], "recent_actions": ["view"], "recent_us": [NOW - MINUTE],
}  # fmt: skip


def slate(session=True, **items):
    columns = [c for view in views(DECLARATION) if view.entity == "item" for c in view.columns]
    found = {c.name: column_array(items.get(c.name, [None, None]), c.dtype) for c in columns}
    return Slate(NOW, ["a", "b"], found, session=Row(SESSION if session else {}))


OFFLINE = slate(price=[2.0, None], orders_1d=[3.0, 4.0], first_seen_us=[NOW - 10**12 - 7, NOW - 10**13 - 3])


def record(online, **changes):
    ids = ["a", "b"]
    fields = {"degraded": False, "matrix": online, **changes}
    return ScoreRecord("r", NOW, "fixed", ids, np.zeros(2), "m", "1", "h", **fields)


def case(online=None, offline=OFFLINE, evidence=Evidence(), known=Knowledge(), **changes):  # noqa: B008 - frozen
    matrix = feature_matrix(offline, DECLARATION, NO_TEXTS)
    of_slate = (record(matrix if online is None else online, **changes), offline, matrix, DECLARATION)
    how = (model_features(DECLARATION), lambda slate: feature_matrix(slate, DECLARATION, NO_TEXTS))
    return Case(*of_slate, evidence, known, *how)


def named(one):
    """(item, feature) -> cause."""
    causes = compare(one).causes
    return {("ab"[i], FEATURES[j]): NAMES[causes[i, j]] for i, j in np.argwhere(causes != EQUAL).tolist()}


def changed(**cells):
    """The offline matrix with other values: feature=(row, value)."""
    matrix = feature_matrix(OFFLINE, DECLARATION, NO_TEXTS).copy()
    for name, (i, value) in cells.items():
        matrix[i, FEATURES.index(name)] = value
    return matrix


def test_equal_matrices_have_no_cause():
    assert named(case()) == {}


def test_bits_are_compared_and_all_nan_are_equal():
    payload = np.array([[0x7FC00001, 0x80000000]], np.uint32).view(np.float32)
    assert differs(payload, np.array([[np.nan, 0.0]], np.float32)).tolist() == [[False, True]]


def test_values_of_the_request_are_overridden():
    online = changed(orders_1d=(1, 9.0), price=(0, np.nan))
    found = case(online, sent=[(1, {"orders_1d": 9.0}), (0, {"price": None})])
    assert named(found) == {("b", "orders_1d"): "overridden", ("a", "price"): "overridden"}


def test_a_value_of_the_request_that_was_not_used_is_unknown():
    assert named(case(changed(orders_1d=(1, 8.0)), sent=[(1, {"orders_1d": 9.0})])) == {("b", "orders_1d"): "unknown"}


def test_a_degraded_answer_has_no_values_of_the_store():
    online = feature_matrix(slate(session=False), DECLARATION, NO_TEXTS)
    assert set(named(case(online, degraded=True)).values()) == {"degraded"}
    assert "degraded" not in named(case(online)).values()


def test_an_expired_row_that_was_used_is_named_ttl():
    old = ReadRow(
        ITEM_WINDOWS, 0, "a", NOW, NOW - 31 * 24 * 60 * MINUTE,
        versions=(Version(NOW - 31 * 24 * 60 * MINUTE, 0, {"orders_1d": 5.0}),),
    )  # fmt: skip
    offline = slate(orders_1d=[None, 4.0])
    online = feature_matrix(slate(orders_1d=[5.0, 4.0]), DECLARATION, NO_TEXTS)
    assert named(case(online, offline, Evidence((old,)))) == {("a", "orders_1d"): "ttl"}


@pytest.mark.parametrize("default", [0.0, -1.0])
def test_a_number_for_a_missing_value_is_named_default(default):
    assert named(case(changed(price=(1, default)))) == {("b", "price"): "default"}


def test_a_stored_default_explains_derived_features_too():
    online = feature_matrix(
        replace(OFFLINE, items={**OFFLINE.items, "price": np.array([2, 0], np.float32)}), DECLARATION, NO_TEXTS
    )
    assert named(case(online)) == {
        ("b", "price"): "default", ("a", "price_vs_slate"): "default", ("b", "price_vs_slate"): "default"
    }  # fmt: skip


def test_timestamps_in_float32_are_named_dtype():
    narrow = OFFLINE.items["first_seen_us"].astype(np.float32).astype(np.float64)
    online = feature_matrix(replace(OFFLINE, items={**OFFLINE.items, "first_seen_us": narrow}), DECLARATION, NO_TEXTS)
    assert set(named(case(online))) == {("a", "item_age_s"), ("b", "item_age_s")}
    assert set(named(case(online)).values()) == {"dtype"}


def test_a_mean_of_prices_in_float32_is_named_dtype():
    prices = slate(price=[0.01, 9.99])
    online = feature_matrix(prices, DECLARATION, NO_TEXTS).copy()
    narrow = prices.items["price"] / prices.items["price"].mean(dtype=np.float32)
    online[:, FEATURES.index("price_vs_slate")] = narrow
    found = named(case(online, prices))
    assert found
    assert set(found.values()) == {"dtype"}


@pytest.mark.parametrize("hours", [-5, 2, 14])
def test_a_session_in_another_time_zone_is_named_shifted(hours):
    shift = hours * 60 * MINUTE
    local = Row({**SESSION, **{name: SESSION[name] - shift for name in ("session_first_us", "session_last_us")}})
    local["recent_us"] = [NOW - MINUTE - shift]
    online = feature_matrix(replace(OFFLINE, session=local), DECLARATION, NO_TEXTS)
    assert named(case(online)) == {
        ("a", "touched_age_s"): "shifted timestamp",
        **{(item, name): "shifted timestamp" for item in "ab" for name in ("session_age_s", "session_idle_s")},
    }


def test_a_request_with_the_time_of_another_clock_is_named_shifted():
    online = feature_matrix(replace(OFFLINE, scored_us=NOW + 120 * MINUTE), DECLARATION, NO_TEXTS)
    found = named(case(online))
    assert {("a", "item_age_s"), ("a", "hour"), ("b", "session_idle_s")} <= set(found)
    assert set(found.values()) == {"shifted timestamp"}


def test_a_row_with_a_shifted_timestamp_is_named_shifted():
    ahead = ReadRow(
        ITEM_WINDOWS, 0, "a", NOW, NOW + 30 * MINUTE, near=(Version(NOW - 30 * MINUTE, 0, {"orders_1d": 3.0}),)
    )
    online = feature_matrix(
        slate(price=[2.0, None], orders_1d=[None, 4.0], first_seen_us=[None, NOW - 10**13 - 3]), DECLARATION, NO_TEXTS
    )
    found = named(case(online, evidence=Evidence((ahead,))))
    assert found == {("a", "orders_1d"): "shifted timestamp", ("a", "item_age_s"): "shifted timestamp"}


def test_a_row_with_an_unknown_timestamp_that_is_no_shift_stays_unknown():
    odd = ReadRow(
        ITEM_WINDOWS, 0, "a", NOW, NOW + 30 * MINUTE + 1, near=(Version(NOW - 30 * MINUTE, 0, {"orders_1d": 3.0}),)
    )
    assert named(case(changed(orders_1d=(0, np.nan)), evidence=Evidence((odd,)))) == {("a", "orders_1d"): "unknown"}


def test_an_older_row_explains_only_its_own_values():
    behind = ReadRow(
        ITEM_WINDOWS, 0, "a", NOW, NOW - 60 * MINUTE, ((NOW - MINUTE, 0),),
        (Version(NOW - 60 * MINUTE, 0, {"orders_1d": 1.0, "first_seen_us": NOW - 10**12 - 7}),),
    )  # fmt: skip
    evidence = Evidence((behind,))
    assert named(case(changed(orders_1d=(0, 1.0)), evidence=evidence)) == {("a", "orders_1d"): "not yet materialized"}
    assert named(case(changed(orders_1d=(0, 2.0)), evidence=evidence)) == {("a", "orders_1d"): "unknown"}


def test_a_value_that_depends_on_rows_with_two_causes_is_explained_by_both():
    """Two prices, one not yet materialized, the other being written. One cause alone gives another mean."""
    attributes = item_attributes_view(DECLARATION)

    def older(position, key, event_us, price):
        return ReadRow(
            attributes, position, key, NOW, event_us, ((NOW - MINUTE, 0),), (Version(event_us, 0, {"price": price}),)
        )

    rows = (
        older(0, "a", NOW - 9 * MINUTE, 1.0),
        replace(older(1, "b", NOW - 9 * MINUTE, 5.0), missed=((NOW - 5 * MINUTE, 0),)),
    )
    known = Knowledge({attributes.name: [KnownRun(0, NOW - 4 * MINUTE, NOW - 4 * MINUTE, None, None)]}, frozenset(), 0)
    online = feature_matrix(slate(price=[1.0, 5.0]), DECLARATION, NO_TEXTS)
    found = named(case(online, slate(price=[2.0, 4.0]), Evidence(rows), known))
    assert found[("a", "price")] == "not yet materialized"
    assert found[("b", "price")] == "materialization under way"
    assert found[("a", "price_vs_slate")] == "materialization under way"
    assert "unknown" not in found.values()


def test_a_sessions_older_row_explains_its_whole_state():
    before = {**dict.fromkeys(column.name for column in SESSION_STATE.columns), **SESSION, "session_views": 0.0}
    before |= {"recent_items": [], "recent_actions": [], "recent_us": []}
    row = ReadRow(
        SESSION_STATE, 0, "s", NOW, NOW - 2 * MINUTE, ((NOW - MINUTE, 0),), (Version(NOW - 2 * MINUTE, 0, before),)
    )
    online = feature_matrix(replace(OFFLINE, session=Row(before)), DECLARATION, NO_TEXTS)
    found = named(case(online, evidence=Evidence((row,))))
    assert {("a", "session_views"), ("a", "touched_count"), ("a", "touched_age_s")} <= set(found)
    assert set(found.values()) == {"not yet materialized"}


def test_only_disagreements_of_serving_and_training_count_as_skew():
    skews = {type(cause) for cause in CAUSES if cause.is_skew}
    assert skews == {Ttl, Default, Dtype, ShiftedTimestamp}
    assert not Overridden.is_skew
    assert not Degraded.is_skew
