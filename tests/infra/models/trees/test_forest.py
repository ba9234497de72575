"""LightGBM's text as arrays: bounds, missing values, damaged trees, and what the kernel cannot represent."""

from __future__ import annotations

import re

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.models.trees.forest import DamagedTrees, Tree, read_forest
from tests.infra.small_models import TINY, boundary_rows, categorical_ranker, ranker_of, rows_of

PLAIN = ranker_of(rounds=2).booster.model_to_string()
CATEGORICAL = categorical_ranker().booster.model_to_string()


def tree(thresholds: list[float]) -> Tree:
    count = len(thresholds)
    chain = np.arange(1, count + 1)
    chain[-1] = -1
    return Tree(
        feature=np.zeros(count, dtype=np.int64),
        threshold=np.array(thresholds),
        decision=np.full(count, 8, dtype=np.int64),
        left=chain,
        right=~np.arange(1, count + 1),
        leaves=np.zeros(count + 1),
    )


@given(
    st.floats(-1e300, 1e300) | st.floats(-1e-34, 1e-34) | st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False) | st.sampled_from(TINY[:-1].tolist()),
)
@settings(max_examples=400)
def test_a_float32_is_at_most_the_bound_exactly_when_lightgbm_sends_it_left(threshold: float, value: float) -> None:
    narrow = np.float32(value)
    bound = tree([threshold]).bound[0]
    with np.errstate(over="ignore"):
        above, below = np.nextafter(bound, np.float32(np.inf)), np.nextafter(bound, np.float32(-np.inf))
    for near in (narrow, bound, above, below):
        seen = 0.0 if abs(float(near)) <= float(np.float32(1e-35)) else float(near)  # LightGBM's kZeroThreshold
        assert (near <= bound) == (seen <= threshold)


def test_every_split_is_reached_on_both_sides_of_its_threshold() -> None:
    ranker = ranker_of(rounds=6)
    base = rows_of(np.random.default_rng(1), 50, 4)
    for k, each in enumerate(read_forest(ranker.booster.model_to_string()).trees):
        rows = boundary_rows(each, base)
        leaves = ranker.booster.predict(rows, pred_leaf=True)[:, k].reshape(5, -1)
        on, above, *_ = leaves
        assert (on != above).all()


def test_the_leaves_are_those_of_lightgbm() -> None:
    booster = ranker_of(rounds=3).booster
    for k, each in enumerate(read_forest(booster.model_to_string()).trees):
        assert each.leaves.tolist() == [booster.get_leaf_output(k, leaf) for leaf in range(len(each.leaves))]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"objective": "binary"}, "the scores of objective 'binary sigmoid:1' are not the sum of the leaves"),
        ({"objective": "regression", "reg_sqrt": True}, "the scores of objective 'regression sqrt' are not"),
        ({"objective": "multiclass", "num_class": 5}, "the model has several classes"),
        (
            {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
            "averages its trees",
        ),
        ({"objective": "regression", "linear_tree": True}, "the model has linear leaves"),
        ({"objective": "regression", "num_leaves": 300, "min_data_in_leaf": 1}, "leaves, the kernel takes 256"),
    ],
)
def test_a_model_that_is_not_a_plain_sum_of_leaves_is_unsupported_with_the_reason(
    parameters: dict[str, object], reason: str
) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(400, 2))
    labels = rng.integers(0, 2 if parameters["objective"] == "binary" else 5, 400)
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **parameters}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, labels, params=settings), 2)
    assert reason in read_forest(booster.model_to_string()).unsupported


def test_a_plain_sum_of_leaves_is_supported() -> None:
    assert read_forest(PLAIN).unsupported == read_forest(CATEGORICAL).unsupported == ""


def test_a_set_of_categories_is_read_as_words() -> None:
    trees = read_forest(CATEGORICAL).trees
    assert any(tree.is_categorical.any() for tree in trees)
    for tree in trees:
        for split in np.flatnonzero(tree.is_categorical):
            (word,) = tree.sets[int(tree.threshold[split])]  # categories 0 to 4
            assert 0 < word < 2**5


def with_first(text: str, name: str, value: object) -> str:
    """``text`` with the first number of the first line ``name=`` replaced."""
    changed, count = re.subn(rf"\n{name}=\S+", f"\n{name}={value}", text, count=1)
    assert count == 1
    return changed


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("split_feature", 9, "tree 0 is damaged: it splits feature 9, but the model has 4 features"),
        ("split_feature", 4, "it splits feature 4, but the model has 4 features"),
        ("split_feature", -1, "it splits feature -1, but the model has 4 features"),
        ("split_feature", 9**40, "tree 0 cannot be read: .*too large"),
        ("split_feature", "1.5", "tree 0 cannot be read: invalid literal"),
        ("split_feature", "1 1", "its arrays have different lengths"),
        ("left_child", 14, "a child is not one of its 14 splits and 15 leaves"),
        ("left_child", -16, "a child is not one of its 14 splits and 15 leaves"),
        ("right_child", 14, "a child is not one of its 14 splits and 15 leaves"),
        ("right_child", -16, "a child is not one of its 14 splits and 15 leaves"),
        ("left_child", 0, "a split leads back to itself or to a split before it"),
        ("right_child", 0, "a split leads back to itself or to a split before it"),
        ("decision_type", 12, "a decision type is unknown"),
        ("decision_type", 16, "a decision type is unknown"),
        ("decision_type", -2, "a decision type is unknown"),
        ("decision_type", 1, "a categorical split uses a set that is not one of its 0 sets"),
        ("threshold", "nan", "a threshold is NaN"),
        ("threshold", "", "its arrays have different lengths"),
        ("leaf_value", "x", "tree 0 cannot be read: could not convert"),
        ("leaf_value", "1 1", "num_leaves or num_cat differs from the arrays"),
        ("num_leaves", 9, "num_leaves or num_cat differs from the arrays"),
        ("num_cat", 1, "tree 0 cannot be read: 'cat_threshold'"),
        ("max_feature_idx", "x", "number of features, cannot be read"),
    ],
)
def test_damaged_trees_are_refused_with_a_sentence(name: str, value: object, problem: str) -> None:
    with pytest.raises(DamagedTrees, match=problem):
        read_forest(with_first(PLAIN, name, value))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("cat_boundaries", 1, "cat_boundaries do not cut cat_threshold into sets"),
        ("cat_boundaries", "0 9", "cat_boundaries do not cut cat_threshold into sets"),
        ("cat_threshold", "1 1", "cat_boundaries do not cut cat_threshold into sets"),
        ("cat_threshold", -1, "cat_threshold has a number outside 32 bits"),
        ("cat_threshold", 2**32, "cat_threshold has a number outside 32 bits"),
        ("num_cat", 0, "a categorical split uses a set that is not one of its 0 sets"),
        ("num_cat", 99, "num_leaves or num_cat differs from the arrays"),
        ("threshold", 99, "a categorical split uses a set that is not one of its"),
        ("threshold", 0.5, "a categorical split uses a set that is not one of its"),
        ("threshold", -1, "a categorical split uses a set that is not one of its"),
    ],
)
def test_damaged_sets_of_categories_are_refused_with_a_sentence(name: str, value: object, problem: str) -> None:
    with pytest.raises(DamagedTrees, match=problem):
        read_forest(with_first(CATEGORICAL, name, value))


def test_a_model_without_its_number_of_features_is_refused() -> None:
    with pytest.raises(DamagedTrees, match="max_feature_idx, the model's number of features, cannot be read"):
        read_forest("tree")
