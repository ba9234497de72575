from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.shapes.conftest import Written
from tests.shapes.retail_invoices import START_US


@pytest.fixture(scope="module")
def lines(shape: Callable[[str], Written]) -> pd.DataFrame:
    file = shape("retail_invoices").folder / "online_retail.csv"
    return pd.read_csv(file, dtype=str, encoding="latin-1", keep_default_na=False)


def test_the_file_is_latin_1_with_pounds_and_accents(lines: pd.DataFrame, shape: Callable[[str], Written]) -> None:
    with pytest.raises(UnicodeDecodeError):
        (shape("retail_invoices").folder / "online_retail.csv").read_text(encoding="utf-8")
    assert lines["Description"].str.contains("£").any()
    assert lines["Description"].str.contains("É").any()


def test_a_quarter_of_the_lines_is_of_nobody_and_the_others_are_of_a_float(lines: pd.DataFrame) -> None:
    assert 0.18 < (lines["CustomerID"] == "").mean() < 0.32
    assert lines["CustomerID"].str.fullmatch(r"(\d{5}\.0)?").all()


def test_returns_are_invoices_with_a_c_and_a_negative_quantity(lines: pd.DataFrame) -> None:
    returns = lines["Invoice"].str.startswith("C")
    assert 0.01 < returns.mean() < 0.03
    assert (lines[returns]["Quantity"].astype(int) < 0).all()
    written_off = ~returns & (lines["Quantity"].astype(int) < 0)
    assert (lines[written_off]["UnitPrice"] == "0.0").all()
    assert (lines[written_off]["CustomerID"] == "").all()


def test_a_return_comes_after_a_sale_of_the_product_to_the_customer(lines: pd.DataFrame) -> None:
    when = pd.to_datetime(lines["InvoiceDate"], format="%d/%m/%Y %H:%M")
    known = lines.assign(when=when)[(lines["CustomerID"] != "") & lines["StockCode"].str.match(r"\d")]
    back = known["Invoice"].str.startswith("C")
    first = known[~back].groupby(["CustomerID", "StockCode"])["when"].min()
    returns = known[back].set_index(["CustomerID", "StockCode"])["when"]
    late = returns[returns < pd.Timestamp("2011-06-18")]
    assert (late >= first.reindex(late.index)).all()


def test_dates_are_day_first_in_the_hours_of_a_shop_in_london(lines: pd.DataFrame) -> None:
    when = pd.to_datetime(lines["InvoiceDate"], format="%d/%m/%Y %H:%M")
    assert when.dt.hour.between(6, 21).all()
    assert when.dt.day.max() == 31, "a reader that takes the month first fails"
    assert (when.min() < pd.Timestamp("2011-03-27")) & (when.max() > pd.Timestamp("2011-03-28"))
    assert when.is_monotonic_increasing


def test_the_truth_has_every_code_and_every_invoice_of_nobody(
    lines: pd.DataFrame, shape: Callable[[str], Written]
) -> None:
    truth = shape("retail_invoices").truth
    assert set(lines["StockCode"]) <= set(truth.items.tolist())
    sales = lines[lines["Invoice"].str.match("5") & ~lines["StockCode"].isin(["BANK CHARGES", "B"])]
    assert truth.knows(sales["CustomerID"], np.zeros(len(sales)), sales["Invoice"]).all()


def test_postage_is_as_likely_as_a_product_on_as_many_invoices(
    lines: pd.DataFrame, shape: Callable[[str], Written]
) -> None:
    truth = shape("retail_invoices").truth
    known = lines[lines["CustomerID"] != ""]
    share = known.groupby("StockCode")["Invoice"].nunique() / known["Invoice"].nunique()
    alike = share[(share - share["POST"]).abs() < 0.02].index.drop("POST")
    of = {code: truth.utility([None], [code], [START_US]) for code in ("POST", *alike)}
    assert len(alike) > 5
    assert of["POST"] == pytest.approx(np.mean(list(of.values())), abs=1.5)


def test_other_entries_stand_among_the_products(lines: pd.DataFrame) -> None:
    assert {"POST", "M", "B", "BANK CHARGES"} <= set(lines["StockCode"])
    assert lines["UnitPrice"].astype(float).min() < -10_000
    assert lines["Quantity"].astype(int).abs().max() == 80_995
    assert lines["StockCode"].str.fullmatch(r"\d{5}[ABC]").any()
    assert 0 < lines.duplicated().mean() < 0.03
