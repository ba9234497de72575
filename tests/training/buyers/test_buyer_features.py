"""Every derived feature of users whose orders are written out by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.definitions.views import SESSION_STATE, USER_HISTORY, USER_WINDOWS
from feature_repo.schema import arrow_schema
from infra.clock import epoch_us
from training.buyers.buyer_features import FEATURE_NAMES, FEATURES, buyer_matrix

AT = datetime(2024, 5, 1, tzinfo=UTC)  # a Wednesday
SCHEMA = pa.schema(
    [f.with_nullable(True) for view in (USER_WINDOWS, USER_HISTORY, SESSION_STATE) for f in arrow_schema(view.columns)]
)


def ago(days: float) -> int:
    return epoch_us(AT - timedelta(days=days))


# Orders 1.5, 3.5, 8.5 and 40.5 days ago, on the order days 2, 4, 9 and 41 days before the day of AT.
USER = {
    "user_items_28d": 9.0,
    "user_first_seen_us": ago(50),
    "user_last_order_us": ago(1.5),
    "history_items": ["a", "b", "c"],
    "history_counts": [3, 1, 2],
    "history_first_us": [ago(40.5), ago(3.5), ago(40.5)],
    "history_last_us": [ago(1.5), ago(3.5), ago(8.5)],
    "session_last_us": ago(0.25),
}


def features(row: dict, at: datetime = AT, days: int = 3) -> dict[str, float]:
    table = pa.Table.from_pylist([row], SCHEMA)
    (found,) = buyer_matrix(table, np.array([epoch_us(at)]), days)
    return dict(zip(FEATURE_NAMES, found.tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user_items_28d", 9),
        ("known_days", 50),
        ("order_age_days", 1.5),
        ("history_items", 3),
        ("repeated_share", 2 / 3),
        ("new_items_28d", 1),
        ("order_days", 4),
        ("order_day_age", 2),
        ("gap_mean", (2 + 5 + 32) / 3),
        ("gap_sd", np.std([2, 5, 32])),
        ("gap_last", 2),
        ("gap_mean_5", 13),
        ("due", 2 / 13),
        ("due_5", 2 / 13),
        ("order_days_7d", 2),
        ("order_days_14d", 3),
        ("order_days_28d", 3),
        ("order_days_56d", 4),
        ("order_days_decayed_7d", 2 ** (-2 / 7) + 2 ** (-4 / 7) + 2 ** (-9 / 7) + 2 ** (-41 / 7)),
        ("weekday", 2),
        ("items_per_order_day", 3),
        ("session_age_s", 21_600),
    ],
)
def test_a_feature_is_what_its_description_says(name, expected):
    assert features(USER)[name] == pytest.approx(expected, rel=1e-6)


def test_the_weekday_share_counts_the_weekdays_of_the_window():
    # the order days are a Monday, Saturday, Monday and Thursday; Wednesday to Friday hold the last of them only
    weights = [2 ** (-age / 60) for age in (2, 4, 9, 41)]
    expected = (weights[3] + 14 * 3 / 7) / (sum(weights) + 14)
    assert features(USER)["weekday_share"] == pytest.approx(expected, rel=1e-6)
    assert features(USER, days=7)["weekday_share"] == pytest.approx(1)
    assert features(USER, days=30)["weekday_share"] == pytest.approx(1)


def test_the_latest_five_gaps_are_those_of_the_latest_six_order_days():
    days = [0.5, 1.5, 3.5, 6.5, 10.5, 15.5, 75.5]  # gaps 1, 2, 3, 4, 5 and 60
    row = {
        "history_counts": [1] * 7,
        "history_first_us": [ago(d) for d in days],
        "history_last_us": [ago(d) for d in days],
    }
    found = features({**row, "history_items": list("abcdefg")})
    assert found["gap_mean_5"] == pytest.approx(3)
    assert found["gap_mean"] == pytest.approx(12.5)


def test_a_user_of_whom_nothing_is_known_has_no_ages_and_no_orders():
    found = features({})
    counts = [n for n in FEATURE_NAMES if n.startswith(("order_days", "history_items", "new_items"))]
    assert {found[name] for name in counts} == {0.0}
    for name in ("known_days", "order_day_age", "gap_mean", "gap_sd", "due", "weekday_share", "session_age_s"):
        assert np.isnan(found[name])


def test_one_order_day_has_no_gap():
    row = {"history_items": ["a"], "history_counts": [1], "history_first_us": [ago(5)], "history_last_us": [ago(5)]}
    found = features(row)
    assert found["order_days"] == 1
    assert np.isnan([found["gap_mean"], found["gap_sd"], found["due"]]).all()


def test_the_rows_of_a_matrix_do_not_depend_on_each_other():
    ats = np.array([epoch_us(AT), epoch_us(AT + timedelta(days=2)), epoch_us(AT)])
    table = pa.Table.from_pylist([USER, USER, {}], SCHEMA)
    together = buyer_matrix(table, ats, 3)
    for i in range(3):
        np.testing.assert_array_equal(together[i : i + 1], buyer_matrix(table.slice(i, 1), ats[i : i + 1], 3))


def test_features_are_named_once_and_described():
    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    assert all(feature.description for feature in FEATURES)
