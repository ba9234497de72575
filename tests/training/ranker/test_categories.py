"""A ranker that is trained on categories: it learns from them, is kept with their texts, and its trees are compiled."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import pytest

from infra.models.ranker import LightGbmRanker, load_ranker
from infra.models.trees.compiled_trees import CompiledRanker, compiled
from infra.models.trees.forest import read_forest
from infra.models.trees.score_parity import sample
from infra.models.vocabulary import FIRST, Vocabulary
from tests.infra.small_models import hard_rows
from training.ablation.columns import without_columns
from training.ranker.lambdamart import Fitted, fit
from training.ranker.position_bias import examination
from training.training_set.ranking_data import RankingData

NAMES = ("price", "brand", "colour")
WANTED = (1, 4, 9, 16, 23)
VOCABULARY = Vocabulary({"brand": tuple(f"b{i}" for i in range(28)), "colour": ()})
PARAMS = {
    "seed": 3,
    "rounds": 40,
    "early_stopping_rounds": 20,
    "lightgbm": {"learning_rate": 0.2, "num_leaves": 15, "min_data_in_leaf": 5, "min_data_per_group": 10,
                 "cat_smooth": 1},
}  # fmt: skip


def lists(seed: int, slates: int = 150) -> RankingData:
    """The label is decided by whether the brand is one of five, whose codes say nothing by their order."""
    rng = np.random.default_rng(seed)
    brand = rng.integers(0, FIRST + 28, slates * 10)
    matrix = np.stack([rng.normal(size=len(brand)), brand, np.zeros(len(brand))], axis=1).astype(np.float32)
    labels = (np.isin(brand, WANTED) & (rng.random(len(brand)) < 0.9)).astype(np.int64)
    sizes = np.full(slates, 10)
    return RankingData(matrix, labels, sizes, np.ones(slates, np.int64), NAMES, vocabulary=VOCABULARY)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(lists(1), lists(2), PARAMS, 1)


def test_categories_are_split_by_sets_and_decide(fitted: Fitted) -> None:
    trees = read_forest(fitted.booster.model_to_string()).trees
    assert sum(int(tree.is_categorical.sum()) for tree in trees) > 10
    assert all((tree.feature[tree.is_categorical] == NAMES.index("brand")).all() for tree in trees)
    rows = np.zeros((FIRST + 28, 3), np.float32)
    rows[:, 1] = np.arange(len(rows))
    best = np.argsort(-fitted.ranker.score(rows))[: len(WANTED)]
    assert set(best.tolist()) == set(WANTED)


def test_the_ranker_is_kept_with_its_texts(fitted: Fitted, tmp_path: Path) -> None:
    fitted.ranker.save(tmp_path)
    found = load_ranker(tmp_path)
    assert found.vocabulary.texts == VOCABULARY.texts
    np.testing.assert_array_equal(found.score(lists(4).matrix), fitted.ranker.score(lists(4).matrix))


def test_its_compiled_trees_score_as_lightgbm_bit_for_bit(fitted: Fitted) -> None:
    rows = lists(3).matrix
    found, engine = compiled(fitted.ranker, sample(fitted.ranker, rows))
    assert isinstance(found, CompiledRanker), engine
    assert found.vocabulary is fitted.ranker.vocabulary
    hard = hard_rows(fitted.ranker, rows[:50])
    for code in (0, 1, 29, 30, 31, 32, 1e6, -1, np.nan):
        varied = rows[:200].copy()
        varied[:, 1] = code
        hard = np.concatenate([hard, varied])
    np.testing.assert_array_equal(found.score(hard), fitted.ranker.score(hard))


def test_a_wrong_set_of_categories_is_found_by_the_registered_rows(fitted: Fitted) -> None:
    """The parity check would not be worth much if its rows never told two sets apart."""
    text = fitted.booster.model_to_string()
    line = next(line for line in text.splitlines() if line.startswith("cat_threshold="))
    first = int(line.removeprefix("cat_threshold=").split()[0])
    other = text.replace(line, line.replace(str(first), str(first ^ (1 << WANTED[1])), 1), 1)
    assert other != text
    rows = sample(fitted.ranker, lists(3).matrix)
    changed = LightGbmRanker(lightgbm.Booster(model_str=other), NAMES, vocabulary=VOCABULARY)
    assert not np.array_equal(changed.score(rows.matrix), rows.scores)


def test_without_its_column_a_category_is_gone_from_the_vocabulary() -> None:
    less = without_columns(lists(1), ("brand",))
    assert less.vocabulary.texts.keys() == {"colour"}
    assert less.categories == [1]


def test_the_examination_of_positions_is_learned_beside_categories() -> None:
    data = lists(5)
    position = np.tile(np.arange(10), len(data.sizes))
    clicks = data.labels * (np.random.default_rng(0).random(len(position)) < 1 / (1 + position))
    seen = RankingData(data.matrix, clicks.astype(np.int64), data.sizes, data.relevant_total, NAMES, position,
                       vocabulary=VOCABULARY)  # fmt: skip
    curve = examination(seen, 1, 1)
    assert curve[0] == 1
    assert curve[9] < 0.6
