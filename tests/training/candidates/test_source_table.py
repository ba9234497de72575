"""Recall of sources and of their union, by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.source import Candidates
from feature_repo.candidates.union import Sources
from feature_repo.slate import Row
from training.candidates import source_table
from training.candidates.source_table import Ordered, markdown, pooled, recalls, source_recalls

CODES = ItemCodes.of_ids([f"i{n}" for n in range(9)])


@dataclass(frozen=True)
class Fixed:
    """Answers all queries with the same items, best first."""

    name: str
    items: tuple[int, ...]

    def candidates(self, queries, k):
        q, n = len(queries), len(self.items)
        scores = np.tile(np.arange(n, 0, -1.0), q)
        return Candidates.best(np.repeat(np.arange(q), n), np.tile(np.array(self.items, np.int32), q), scores, q, k)


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(source_table, "CUTS", (1, 3))
    sources = Sources(CODES, (Fixed("x", (0, 1, 2)), Fixed("y", (5, 1))), {"x": 2, "y": 2}, limit=3, known_at_us=0)
    queries = queries_of_rows(CODES, [0, 0], [Row()] * 2, [Row()] * 2, [{}] * 2)
    # The first user ordered 0, 2 and an item that nobody knew; the second one 5.
    ordered = Ordered(Ragged.of_lengths([3, 1]), np.array([0, 2, -1, 5], np.int32))
    return source_recalls(sources, queries, ordered)


def test_recall_is_of_the_first_candidates_and_of_all_that_was_ordered(found):
    x, y, union = found
    assert x.first.tolist() == [pytest.approx([1 / 3, 2 / 3]), [0, 0]]
    assert y.first.tolist() == [[0, 0], [1, 1]]
    assert union.first.tolist() == [pytest.approx([1 / 3, 1 / 3]), [0, 1]]  # 0, 5, 1: x has room for two
    assert (x.per_user, y.per_user, union.per_user) == (3, 2, 3)


def test_what_the_union_loses_is_its_recall_without_the_source(found):
    rows = pooled([found, found])
    assert rows[0]["loss"] == pytest.approx({"1": 1 / 6 - 1 / 2, "3": 2 / 3 - 1 / 2})
    assert rows[1]["loss"] == pytest.approx({"1": 1 / 6 - 1 / 6, "3": 2 / 3 - 1 / 6})
    assert "loss" not in rows[2]
    assert markdown(rows).splitlines()[-1] == "| union | 3 | 0.1667 | 0.6667 |  |  |"


def test_windows_are_pooled_by_user(monkeypatch):
    monkeypatch.setattr(source_table, "CUTS", (1,))
    lists, items = Ragged.of_lengths([1, 1]), np.array([0, 1], np.int32)
    two = recalls(lists, items, Ordered(Ragged.of_lengths([1, 2]), np.array([0, 1, 2], np.int32)))
    assert two.tolist() == [[1.0], [0.5]]
    windows = [[source_table.SourceRecall("union", each, None, 1.0)] for each in (two, np.array([[0.0]]))]
    (row,) = pooled(windows)
    assert row["recall"] == pytest.approx({"1": 0.5})
    assert row["by_window"] == [{"1": 0.75}, {"1": 0.0}]


def test_a_user_without_an_order_is_refused():
    with pytest.raises(ValueError, match="without an order"):
        Ordered(Ragged.of_lengths([1, 0]), np.array([1], np.int32))
