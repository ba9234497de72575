from __future__ import annotations

import gzip
from collections.abc import Callable

import pandas as pd
import pytest

from tests.shapes.conftest import Written


@pytest.fixture(scope="module")
def events(shape: Callable[[str], Written]) -> pd.DataFrame:
    file = shape("anonymous_purchases").folder / "events.csv.gz"
    with gzip.open(file, "rt") as opened:
        return pd.read_csv(opened, dtype=str)


def test_most_rows_are_of_nobody_and_some_of_no_session_either(events: pd.DataFrame) -> None:
    nobody, nowhere = events["user_id"].isna(), events["user_session"].isna()
    assert 0.75 < nobody.mean() < 0.85
    assert 0.1 < nowhere.mean() < 0.2
    assert (nobody & nowhere).mean() > 0.05
    assert (~nobody & nowhere).any()


def test_prices_are_rupiah_up_to_many_millions_and_move(events: pd.DataFrame) -> None:
    prices = events["price"].astype(int)
    assert prices.max() > 10_000_000
    assert (prices % 1000 == 0).all()
    assert (prices.groupby(events["product_id"]).nunique() > 1).mean() > 0.3


def test_times_say_their_zone_and_actions_are_three(events: pd.DataFrame) -> None:
    assert events["event_time"].str.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").all()
    share = events["event_type"].value_counts(normalize=True)
    assert set(share.index) == {"view", "cart", "purchase"}
    assert share["view"] > 0.7
    assert events["event_time"].is_monotonic_increasing


def test_what_a_session_buys_it_viewed_before(events: pd.DataFrame) -> None:
    key = ["user_session", "product_id"]
    known = events[events["user_session"].notna()].assign(row=range(events["user_session"].notna().sum()))
    viewed = known[known["event_type"] == "view"].groupby(key)["row"].min()
    bought = known[known["event_type"] == "purchase"].set_index(key)["row"]
    assert (bought > viewed.reindex(bought.index)).all()
    carted = pd.MultiIndex.from_frame(known[known["event_type"] == "cart"][key])
    assert 0.02 < (~bought.index.isin(carted)).mean() < 0.25


def test_a_product_without_a_code_has_none_anywhere(events: pd.DataFrame) -> None:
    assert (events.groupby("product_id")["category_code"].nunique(dropna=False) == 1).all()
    assert 0.1 < events["category_code"].isna().mean() < 0.5
    assert events["category_id"].notna().all()
