from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from tests.shapes.conftest import Written
from tests.shapes.search_features import PARTS


@pytest.fixture(scope="module")
def parts(shape: Callable[[str], Written]) -> dict[str, pd.DataFrame]:
    return {part: pd.read_csv(shape("search_features").folder / f"{part}.csv") for part in PARTS}


def test_a_row_has_a_grade_a_query_a_document_and_twenty_features(parts: dict[str, pd.DataFrame]) -> None:
    for table in parts.values():
        assert list(table) == ["label", "qid", "docid", *(f"f{number}" for number in range(1, 21))]
        assert table["label"].between(0, 4).all()
        assert (table["label"] == 0).mean() > 0.5
    assert set(pd.concat(parts.values())["label"]) == {0, 1, 2, 3, 4}


def test_no_query_is_in_two_files(parts: dict[str, pd.DataFrame]) -> None:
    queries = [set(table["qid"]) for table in parts.values()]
    assert sum(map(len, queries)) == len(set().union(*queries)) == 300
    assert len(queries[2]) == 45


def test_features_are_constant_missing_and_of_all_sizes(parts: dict[str, pd.DataFrame]) -> None:
    table = pd.concat(parts.values())
    assert table["f19"].nunique() == 1
    assert 0.03 < table["f7"].isna().mean() < 0.07
    assert table["f1"].max() < 1 < 100_000 < table["f3"].max()
    assert 0 < table.duplicated(["qid", "docid"]).mean() < 0.02


def test_a_few_queries_have_one_document_or_nothing_relevant(parts: dict[str, pd.DataFrame]) -> None:
    by_query = pd.concat(parts.values()).groupby("qid")
    assert (by_query["docid"].nunique() == 1).any()
    assert (by_query["label"].max() == 0).any()
