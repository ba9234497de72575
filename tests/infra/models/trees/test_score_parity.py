"""The rows that are registered with a model, and the comparison with LightGBM on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from infra.models.ranker import LightGbmRanker
from infra.models.trees.forest import read_forest
from infra.models.trees.score_parity import MAX_ROWS, TEST_ROWS_FILE, ScoredRows, difference_on, sample
from tests.infra.small_models import categorical_ranker, ranker_of, rows_of

LARGEST = float(np.finfo(np.float32).max)
BASE = rows_of(np.random.default_rng(9), 300, 4)


@pytest.fixture(scope="module")
def ranker() -> LightGbmRanker:
    return ranker_of()


@pytest.fixture(scope="module")
def rows(ranker: LightGbmRanker) -> ScoredRows:
    return sample(ranker, BASE)


def test_the_sample_holds_unknown_values_thresholds_and_lightgbms_scores(ranker: LightGbmRanker) -> None:
    big = np.random.default_rng(2).normal(size=(9_000, 4)).astype(np.float32)
    rows = sample(ranker, big)
    assert rows.matrix.shape == (MAX_ROWS, 4)
    assert np.isnan(rows.matrix).any()
    thresholds = {  # an infinite one is moved to the largest float32
        (int(feature), np.float32(np.clip(threshold, -LARGEST, LARGEST)))
        for tree in read_forest(ranker.booster.model_to_string()).trees
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True)
    }
    on_threshold = [any((j, value) in thresholds for j, value in enumerate(row)) for row in rows.matrix]
    assert sum(on_threshold) >= MAX_ROWS // 2
    np.testing.assert_array_equal(rows.scores, ranker.score(rows.matrix))
    np.testing.assert_array_equal(rows.matrix, sample(ranker, big).matrix)


def test_test_rows_are_loaded_from_disk_and_damaged_ones_are_not(rows: ScoredRows, tmp_path: Path) -> None:
    assert ScoredRows.load(tmp_path) is None
    rows.save(tmp_path)
    found = ScoredRows.load(tmp_path)
    assert found is not None
    np.testing.assert_array_equal(found.matrix, rows.matrix)
    np.testing.assert_array_equal(found.scores, rows.scores)
    path = tmp_path / TEST_ROWS_FILE
    for content in (b"", b"PK\x03\x04", path.read_bytes()[:200]):
        path.write_bytes(content)
        assert ScoredRows.load(tmp_path) is None
    np.savez(path, matrix=rows.matrix.astype(np.float64), scores=rows.scores)
    assert ScoredRows.load(tmp_path) is None
    np.savez(path, matrix=np.array([{}], dtype=object), scores=rows.scores)
    assert ScoredRows.load(tmp_path) is None


def test_the_sample_holds_categories_of_the_splits_sets() -> None:
    ranker = categorical_ranker(categories=40)
    numbers = np.full((500, 2), 1000, np.float32)  # in no set
    categories = sample(ranker, numbers).matrix[500:, 0]
    known = categories[~np.isnan(categories)]
    assert len(set(known.tolist()) - {1000.0}) > 30
    assert set(known[known != 1000].tolist()) <= set(range(65))


def test_a_model_that_the_kernel_cannot_represent_has_test_rows_too() -> None:
    linear = ranker_of(objective="regression", linear_tree=True)
    rows = sample(linear, BASE)
    np.testing.assert_array_equal(rows.matrix[: len(BASE)], BASE)
    np.testing.assert_array_equal(rows.scores, linear.score(rows.matrix))


@pytest.mark.parametrize(
    ("matrix", "scores"),
    [
        (BASE, np.zeros(299)),
        (BASE[0], np.zeros(4)),
        (BASE[:0], np.zeros(0)),
        (BASE.astype(np.float64), np.zeros(300)),
        (BASE, np.zeros(300, np.float32)),
    ],
)
def test_rows_and_scores_that_do_not_fit_are_refused(matrix: np.ndarray, scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"rows must be \(n, f\) float32 and scores \(n,\) float64"):
        ScoredRows(matrix, scores)


def test_equal_scores_are_no_difference(ranker: LightGbmRanker, rows: ScoredRows) -> None:
    assert difference_on(rows, ranker.score, ranker) == ""


def test_one_score_that_differs_in_its_last_bit_is_a_difference(ranker: LightGbmRanker, rows: ScoredRows) -> None:
    nudged = rows.scores.copy()
    nudged[7] = np.nextafter(nudged[7], np.inf)
    found = difference_on(rows, lambda _: nudged, ranker)
    assert found.startswith(
        "the compiled trees differ from LightGBM on the model's test rows: 1 of 600 scores, by up to"
    )


def test_another_number_of_scores_is_a_difference(ranker: LightGbmRanker, rows: ScoredRows) -> None:
    assert "(599,) scores for 600 rows" in difference_on(rows, lambda _: rows.scores[1:], ranker)


def test_a_lightgbm_that_scores_otherwise_than_at_registration_is_reported(
    ranker: LightGbmRanker, rows: ScoredRows
) -> None:
    changed = ScoredRows(rows.matrix, np.nextafter(rows.scores, np.inf))
    assert difference_on(changed, ranker.score, ranker) == (
        "LightGBM itself does not score the model's test rows as it did when the model was registered"
    )
