"""Weighted rows of a sparse table, summed."""

import numpy as np
import pytest

from feature_repo.candidates import sparse_table
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.sparse_table import SparseTable, row_blocks

# rows:           0: item 1 -> 2, item 3 -> 1    1: none     2: item 1 -> 0.5, item 0 -> 4
TABLE = SparseTable(
    Ragged.of_lengths([2, 0, 2]), np.array([1, 3, 1, 0], np.int32), np.array([2, 1, 0.5, 4], np.float32), columns=5
)
OF = Ragged.of_lengths([2, 0, 3])
ROWS, WEIGHTS = np.array([0, 2, 2, 1, 2]), np.array([1.0, 2.0, 1.0, 9.0, -1.0])


@pytest.mark.parametrize("at_once", [1, 2, 512])
def test_an_item_scores_the_sum_over_the_rows(monkeypatch, at_once):
    monkeypatch.setattr(sparse_table, "QUERIES_AT_ONCE", at_once)
    found = TABLE.best(OF, ROWS, WEIGHTS, 10)
    assert found.lists.starts.tolist() == [0, 3, 3, 3]  # weights that cancel leave a score of 0, which is no candidate
    assert found.items.tolist() == [0, 1, 3]
    assert found.scores.tolist() == [8.0, 3.0, 1.0]


def test_a_saved_table_is_read_back_and_a_damaged_one_refused(tmp_path):
    TABLE.save(tmp_path, "pairs")
    found = SparseTable.load(tmp_path, "pairs", 5)
    assert (found.matrix != TABLE.matrix).nnz == 0
    with pytest.raises(ValueError, match="do not fit together"):
        SparseTable.load(tmp_path, "pairs", 3)
    np.save(tmp_path / "pairs_items.npy", np.array([1], np.int32))
    with pytest.raises(ValueError, match="do not fit together"):
        SparseTable.load(tmp_path, "pairs", 5)


def test_blocks_cover_all_rows_and_hold_about_the_limit():
    work = np.array([3, 3, 3, 50, 1, 1])
    found = list(row_blocks(work, 10))
    assert [row for block in found for row in range(block.start, block.stop)] == list(range(6))
    assert [int(work[block].sum()) for block in found] == [9, 50, 2] or max(
        int(work[block].sum()) for block in found
    ) <= 59
    assert len(found) > 1
    assert list(row_blocks(np.empty(0, np.int64), 10)) == []
