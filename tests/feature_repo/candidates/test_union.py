"""The union of several sources: each item once, with the score and rank of each source."""

from dataclasses import dataclass

import numpy as np
import pytest

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.source import Candidates
from feature_repo.candidates.sources.own_history import OwnHistory
from feature_repo.candidates.union import Sources
from feature_repo.slate import Row

NAN = np.nan
CODES = ItemCodes.of_ids([f"i{n}" for n in range(6)])


@dataclass(frozen=True)
class Fixed:
    """Answers each query with the same list."""

    name: str
    items: tuple[int, ...]
    scores: tuple[float, ...]

    def candidates(self, queries, k):
        q, n = len(queries), len(self.items)
        return Candidates.best(
            np.repeat(np.arange(q), n), np.tile(np.array(self.items, np.int32), q), np.tile(self.scores, q), q, k
        )


def queries(count=1):
    return queries_of_rows(CODES, [0] * count, [Row()] * count, [Row()] * count, [{}] * count)


def test_the_best_are_by_score_then_by_code_and_at_most_k():
    rows, items = np.array([1, 1, 0, 1, 1]), np.array([4, 3, 5, 0, 1], np.int32)
    found = Candidates.best(rows, items, np.array([1.0, 1.0, 7.0, 9.0, np.nan]), 3, 2)
    assert found.lists.starts.tolist() == [0, 1, 3, 3]
    assert found.items.tolist() == [5, 0, 3]
    assert found.scores.tolist() == [7.0, 9.0, 1.0]


def test_the_union_holds_each_item_once_in_the_sources_order():
    sources = Sources(
        CODES,
        (Fixed("x", (0, 1, 2), (3, 2, 1)), Fixed("y", (2, 4), (50, 40))),
        {"x": 3, "y": 2},
        limit=10,
        known_at_us=0,
    )
    found = sources.candidates(queries(2))
    assert found.lists.starts.tolist() == [0, 4, 8]
    assert found.items.tolist() == [0, 2, 1, 4] * 2
    expected = np.array([[3, 0, NAN, NAN], [1, 2, 50, 0], [2, 1, NAN, NAN], [NAN, NAN, 40, 1]], np.float32)
    np.testing.assert_array_equal(found.columns, np.concatenate([expected, expected]))
    assert [feature.name for feature in sources.features] == ["x_score", "x_rank", "y_score", "y_rank"]


def test_the_limit_cuts_each_query():
    sources = Sources(CODES, (Fixed("x", (0, 1, 2), (3, 2, 1)),), {"x": 3}, limit=2, known_at_us=0)
    assert sources.candidates(queries(2)).items.tolist() == [0, 1, 0, 1]


def test_without_sources_there_are_no_candidates():
    assert Sources(CODES, (), {}, limit=2, known_at_us=0).candidates(queries(3)).lists.starts.tolist() == [0, 0, 0, 0]


def test_saved_sources_are_read_back(tmp_path):
    Sources(CODES, (OwnHistory(60),), {"own_history": 7}, limit=9, known_at_us=5).save(tmp_path)
    found = Sources.load(tmp_path)
    assert found.codes.ids == CODES.ids
    assert (found.sources, found.sizes, found.limit, found.known_at_us) == ((OwnHistory(60),), {"own_history": 7}, 9, 5)


def test_sources_of_another_version_are_refused(tmp_path):
    Sources(CODES, (OwnHistory(60),), {"own_history": 7}, limit=9, known_at_us=5).save(tmp_path)
    card = tmp_path / "sources.json"
    card.write_text(card.read_text().replace('"version": 1', '"version": 99'))
    with pytest.raises(ValueError, match=r"own_history.*another release"):
        Sources.load(tmp_path)
