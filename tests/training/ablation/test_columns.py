from __future__ import annotations

import numpy as np
import pytest

from training.ablation.columns import without_columns
from training.training_set.ranking_data import RankingData

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)
DATA = RankingData(MATRIX, np.array([0, 1]), np.array([2]), np.array([1]), ("a", "b", "c"))


def test_the_columns_that_are_left_keep_their_names_and_order():
    found = without_columns(DATA, {"b"})
    assert found.feature_names == ("a", "c")
    assert found.matrix.tolist() == [[0, 2], [3, 5]]
    assert DATA.feature_names == ("a", "b", "c")


def test_a_feature_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no features d, e"):
        without_columns(DATA, {"a", "e", "d"})
