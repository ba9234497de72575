from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.shapes.conftest import Written
from tests.shapes.truth import DAY_US


@pytest.fixture(scope="module")
def folder(shape: Callable[[str], Written]) -> Path:
    return shape("grocery_baskets").folder


@pytest.fixture(scope="module")
def orders(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "orders.csv", dtype={"order_hour_of_day": str})


def test_no_file_has_a_date(folder: Path) -> None:
    columns = {str(name) for path in folder.iterdir() for name in pd.read_csv(path, nrows=1)}
    assert not {name for name in columns if "date" in name or "time" in name}


def test_orders_say_their_number_and_the_days_since_the_one_before(orders: pd.DataFrame) -> None:
    assert (orders.groupby("user_id")["order_number"].diff().dropna() == 1).all()
    first = orders["order_number"] == 1
    assert (orders["days_since_prior_order"].isna() == first).all()
    assert orders["days_since_prior_order"].max() == 30
    assert orders["order_hour_of_day"].str.fullmatch(r"[012]\d").all()


def test_days_and_weekdays_agree_below_the_cap(orders: pd.DataFrame) -> None:
    moved = orders.groupby("user_id")["order_dow"].diff()
    below = orders["days_since_prior_order"] < 30
    assert ((moved - orders["days_since_prior_order"])[below] % 7 == 0).all()


def test_a_held_out_order_has_no_lines(folder: Path, orders: pd.DataFrame) -> None:
    lines = pd.read_csv(folder / "order_products.csv")
    test = orders["eval_set"] == "test"
    assert 0.01 < test.mean() < 0.06
    assert set(lines["order_id"]) == set(orders[~test]["order_id"])
    last = orders.groupby("user_id")["order_number"].transform("max") == orders["order_number"]
    assert ((orders["eval_set"] != "prior") == last).all()


def test_weights_stand_among_pieces(folder: Path) -> None:
    lines = pd.read_csv(folder / "order_products.csv").merge(pd.read_csv(folder / "products.csv"))
    whole = lines["quantity"] % 1 == 0
    assert 0.05 < (~whole).mean() < 0.25
    assert set(lines[~whole]["department_id"]) == {1}
    assert whole[lines["department_id"] != 1].all()


def test_a_third_and_more_is_ordered_again(folder: Path, orders: pd.DataFrame) -> None:
    lines = pd.read_csv(folder / "order_products.csv").merge(orders)
    assert lines["reordered"].mean() > 0.25
    assert (lines[lines["order_number"] == 1]["reordered"] == 0).all()


def test_an_order_has_its_true_time_in_the_truth_whatever_time_is_asked_for(shape: Callable[[str], Written]) -> None:
    truth = shape("grocery_baskets").truth
    slates = truth.slates["next basket"]
    later = slates.us + 40 * DAY_US
    assert (
        truth.utility(slates.user, slates.item, later, slates.session)
        == truth.utility(slates.user, slates.item, slates.us, slates.session)
    ).all()
    assert not np.allclose(
        truth.utility(slates.user, slates.item, later), truth.utility(slates.user, slates.item, slates.us)
    )
