from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.shapes.__main__ import judged
from tests.shapes.conftest import Written


@pytest.fixture(scope="module")
def rows(shape: Callable[[str], Written]) -> pd.DataFrame:
    return pd.read_csv(shape("bandit_feedback").folder / "all.csv")


def test_three_rows_with_one_timestamp_are_an_impression(rows: pd.DataFrame) -> None:
    assert rows.columns[0] == "Unnamed: 0"
    by_time = rows.groupby("timestamp", sort=False)
    assert (by_time.size() == 3).all()
    assert (rows["position"] == np.tile([1, 2, 3], len(rows) // 3)).all()
    assert (by_time["item_id"].nunique() == 3).all()
    assert (by_time["user_feature_0"].nunique() == 1).all()
    assert not {"user_id", "session_id"} & set(rows)


def test_clicks_are_rare_and_rarest_at_the_last_position(rows: pd.DataFrame) -> None:
    share = rows.groupby("position")["click"].mean()
    assert 0.03 < rows["click"].mean() < 0.15
    assert share[1] > share[3]


def test_an_item_is_shown_first_as_often_as_its_propensity_says(rows: pd.DataFrame) -> None:
    first = rows[rows["position"] == 1]
    propensity = first.groupby("item_id")["propensity_score"].first()
    assert (first.groupby("item_id")["propensity_score"].std().fillna(0) < 1e-12).all()
    share = first["item_id"].value_counts(normalize=True).reindex(propensity.index)
    assert share.to_numpy() == pytest.approx(propensity.to_numpy(), abs=0.012)


def test_times_have_a_zone_and_now_and_then_no_fraction(rows: pd.DataFrame) -> None:
    assert rows["timestamp"].str.endswith("+00:00").all()
    assert 0 < (~rows["timestamp"].str.contains(".", regex=False)).mean() < 0.02


def test_features_are_hashes_and_a_number(shape: Callable[[str], Written], rows: pd.DataFrame) -> None:
    items = pd.read_csv(shape("bandit_feedback").folder / "item_context.csv")
    for table, name in ((rows, "user_feature_3"), (items, "item_feature_1")):
        assert table[name].str.fullmatch("[0-9a-f]{32}").all()
    assert items["item_feature_0"].min() < 0


def test_the_position_counts_for_the_clicks_that_were_logged(shape: Callable[[str], Written]) -> None:
    truth = shape("bandit_feedback").truth
    slates = truth.slates["clicked"]
    assert judged(truth, slates) != judged(truth, replace(slates, position=np.full(len(slates.slate), -1)))
