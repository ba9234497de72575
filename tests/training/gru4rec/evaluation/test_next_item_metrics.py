"""Recall@K and MRR@K compared with tables worked out by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.evaluation.next_item_metrics import evaluate, target_ranks


@dataclass(frozen=True)
class FixedTable:
    """Row i of ``table`` has the scores after item i."""

    table: np.ndarray
    name: str = "fixed"

    def scores(self, session):
        return self.table[session]


@dataclass(frozen=True)
class InBlocks(FixedTable):
    rows: int = 2

    def score_blocks(self, sessions):
        items = np.concatenate(sessions)
        for first in range(0, len(items), self.rows):
            yield self.table[items[first : first + self.rows]]


#            item 0    1    2    3
TABLE = [
    [0.1, 0.9, 0.5, 0.3],  # after 0
    [0.4, 0.3, 0.2, 0.1],  # after 1
    [0.9, 0.8, 0.7, 0.7],  # after 2
    [0.0, 0.0, 0.0, 0.0],  # after 3
]
# Targets: 1 after 0, rank 1; 2 after 1, rank 3; 3 after 2, rank 4 because of a tie with 2; 0 after 1, rank 1.
SESSIONS = sessions_of([0, 1, 2, 3], [2], [1, 0])


@pytest.mark.parametrize("model", [FixedTable, InBlocks])
def test_recall_and_mrr_are_those_of_the_table(model):
    found = evaluate(model(np.array(TABLE)), SESSIONS)
    assert found.ranks.tolist() == [1, 3, 4, 1]
    assert found.positions.tolist() == [1, 2, 3, 1]
    assert found.metrics((1, 3, 4)) == pytest.approx(
        {
            "recall@1": 0.5,
            "recall@3": 0.75,
            "recall@4": 1.0,
            "mrr@1": 0.5,
            "mrr@3": 7 / 12,
            "mrr@4": (7 / 3 + 1 / 4) / 4,
        }
    )


def test_recall_by_position_puts_all_later_positions_into_the_last_entry():
    found = evaluate(FixedTable(np.array(TABLE)), SESSIONS)
    assert found.recall_by_position(1, max_position=2) == [1.0, 0.0]
    assert found.recall_by_position(3, max_position=3) == [1.0, 1.0, 0.0]
    assert np.isnan(found.recall_by_position(1, max_position=5)[4])


@pytest.mark.parametrize("score", [0.0, 1.5, np.nan, np.inf])
def test_equal_scores_for_all_items_give_a_recall_of_zero(score):
    collapsed = FixedTable(np.full((30, 30), score, dtype=np.float32))
    found = evaluate(collapsed, sessions_of([0, 1, 2, 3], [5, 4, 3]))
    assert set(found.metrics((1, 5, 10, 20)).values()) == {0.0}
    assert set(found.ranks) == {30}


def test_an_item_with_score_nan_ranks_before_the_target():
    assert target_ranks(np.array([[np.nan, 1.0, 0.0], [np.nan, 1.0, 0.0]]), np.array([1, 0])).tolist() == [2, 3]


def test_ranks_do_not_depend_on_how_many_rows_are_compared_at_once():
    rng = np.random.default_rng(3)
    scores, targets = rng.integers(0, 9, (700, 12)).astype(np.float32), rng.integers(0, 12, 700)
    others = [[s for i, s in enumerate(row) if i != t] for row, t in zip(scores, targets, strict=True)]
    expected = [1 + sum(s >= row[t] for s in o) for row, t, o in zip(scores, targets, others, strict=True)]
    assert target_ranks(scores, targets).tolist() == expected


def test_sessions_of_one_item_have_no_target():
    found = evaluate(FixedTable(np.array(TABLE)), sessions_of([0], [1]))
    assert len(found.ranks) == 0
    assert np.isnan(found.recall(20))
    assert np.isnan(found.mrr(20))


def test_a_model_that_omits_positions_is_refused():
    @dataclass(frozen=True)
    class Short(FixedTable):
        def scores(self, session):
            return self.table[session][1:]

    with pytest.raises(ValueError, match="fixed returned 2 rows of scores for 4 positions"):
        evaluate(Short(np.array(TABLE)), SESSIONS)
