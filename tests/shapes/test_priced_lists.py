from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.shapes.conftest import Written


@pytest.fixture(scope="module")
def rows(shape: Callable[[str], Written]) -> pd.DataFrame:
    return pd.read_csv(shape("priced_lists").folder / "train.csv", dtype=str, keep_default_na=False)


def test_only_clicks_have_a_list_with_a_price_for_each_hotel(rows: pd.DataFrame) -> None:
    clicks = rows["action_type"] == "clickout item"
    assert ((rows["impressions"] != "") == clicks).all()
    lists, prices = rows[clicks]["impressions"].str.split("|"), rows[clicks]["prices"].str.split("|")
    assert (lists.map(len) == prices.map(len)).all()
    assert lists.map(len).between(8, 25).all()
    assert lists.map(lambda hotels: len(set(hotels)) == len(hotels)).all()


def test_a_few_clicks_are_outside_their_list_and_a_few_rows_stand_there_twice(rows: pd.DataFrame) -> None:
    clicks = rows[rows["action_type"] == "clickout item"]
    pairs = clicks[["reference", "impressions"]].to_numpy().tolist()
    inside = [clicked in shown.split("|") for clicked, shown in pairs]
    assert 0.95 < np.mean(inside) < 1
    assert 0 < rows.duplicated().mean() < 0.03
    assert (rows["reference"] == "unknown").any()


def test_times_are_unix_seconds_and_rise_within_a_session(rows: pd.DataFrame) -> None:
    seconds = rows["timestamp"].astype(int)
    assert seconds.between(1_541_030_400, 1_541_030_400 + 57 * 86_400).all()
    assert (seconds.groupby(rows["session_id"]).diff().dropna() >= 0).all()


def test_some_hotels_have_no_metadata(rows: pd.DataFrame, shape: Callable[[str], Written]) -> None:
    metadata = pd.read_csv(shape("priced_lists").folder / "item_metadata.csv", dtype=str)
    assert 0.9 < len(metadata) / len(shape("priced_lists").truth.items) < 1
    assert metadata["properties"].str.contains("|", regex=False).all()


def test_the_first_positions_are_clicked_most(rows: pd.DataFrame) -> None:
    clicks = rows[rows["action_type"] == "clickout item"]
    lists = [
        [*shown.split("|"), clicked] for shown, clicked in clicks[["impressions", "reference"]].to_numpy().tolist()
    ]
    place = np.array([hotels.index(hotels[-1]) for hotels in lists])
    assert (place < 4).mean() > 2 * ((place >= 4) & (place < 8)).mean()
