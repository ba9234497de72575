"""What is wrong with values: the first row of each column, in one scan."""

from __future__ import annotations

import duckdb
import pytest

from feature_repo.datasets.checks.values import (
    FILE,
    ROW,
    first_problems,
    lost_money,
    plain_value,
    problem,
    type_problem,
)
from feature_repo.schema import Column, DType

PRICE = Column("price", DType.MONEY, "", "", True, 0, 100)
LABEL = Column("label", DType.INT32, "", "", False, 0, 4)
NAME = Column("name", DType.STRING, "")


def relation(connection: duckdb.DuckDBPyConnection, name: str, values: list[object], kind: str) -> str:
    connection.execute(f'CREATE OR REPLACE TABLE rows ({FILE} VARCHAR, {ROW} BIGINT, "{name}" {kind})')
    connection.executemany("INSERT INTO rows VALUES ('f.csv', ?, ?)", list(enumerate(values, start=1)))
    return "rows"


def said(column: Column, values: list[object], kind: str = "VARCHAR") -> list[str]:
    connection = duckdb.connect()
    value = plain_value(column)
    found = first_problems(connection, relation(connection, column.name, values, kind), [("c", problem(value))])
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        (PRICE, ["1", "x"], "row 2: 'x' cannot be a money"),
        (PRICE, ["1", "101"], "row 2: '101' is not at most 100; \"max_price\" in dataset.json raises the bound"),
        (PRICE, ["1", "99999999999"], "row 2: '99999999999' is not at most 100; \"max_price\""),
        (PRICE, ["-1", "x"], "row 1: '-1' is not at least 0"),
        (PRICE, ["1", "inf"], "row 2: 'inf' is not finite"),
        (LABEL, ["1", None], "row 2: null is not allowed"),
        (LABEL, ["1", "2.5"], "row 2: '2.5' is not whole; grades of a rating are made by at_least"),
        (LABEL, ["5", "9"], "row 1: '5' is not at most 4; grades of a rating are made by at_least"),
        (NAME, ["a", "b" * 300], f"row 2: '{'b' * 80}' is not 1 to 200 characters"),
    ],
)
def test_the_first_value_that_is_not_allowed_is_named(column: Column, values: list[object], sentence: str) -> None:
    [found] = said(column, values)
    assert found.startswith("f.csv, column 'c', ")
    assert sentence in found


@pytest.mark.parametrize(
    ("column", "values"), [(PRICE, ["0", "100.004", None]), (LABEL, ["0", "4.0"]), (NAME, ["a" * 200, "é"])]
)
def test_allowed_values_have_no_problem(column: Column, values: list[object]) -> None:
    assert said(column, values) == []


def test_types_that_cannot_be_read_are_named() -> None:
    assert type_problem(NAME, "DOUBLE") == "the type is DOUBLE; it must be strings or integers"
    assert type_problem(PRICE, "DOUBLE[]") == "the type is DOUBLE[]; it must be money"
    assert type_problem(PRICE, "DOUBLE") is None


@pytest.mark.parametrize(
    ("amounts", "refused"),
    [([0.004, 1.0], True), ([0.004] + [1.0] * 98, True), ([0.004] + [1.0] * 99, False), ([0.0, -1.0, None], False)],
)
def test_amounts_that_cents_make_nothing_are_refused_from_one_in_a_hundred_on(
    amounts: list[float | None], refused: bool
) -> None:
    connection = duckdb.connect()
    rows = relation(connection, "price", list(amounts), "DOUBLE")
    found = lost_money(connection, rows, [plain_value(PRICE)])
    assert [("scale: 1000" in str(each), "row 1" in str(each)) for each in found] == [(True, True)] * refused
