"""LightGBM's text as arrays: bounds, missing values, and what is not translated."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.models.trees.forest import Tree, Unsupported, read_forest
from infra.models.trees.score_parity import boundary_rows
from tests.infra.small_models import TINY, ranker_of, rows_of


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
        ({"objective": "binary"}, "objective 'binary"),
        ({"objective": "regression", "reg_sqrt": True}, "sqrt"),
        ({"objective": "multiclass", "num_class": 5}, "several classes"),
        ({"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averages"),
        ({"objective": "regression", "linear_tree": True}, "linear leaves"),
    ],
)
def test_what_is_not_a_plain_sum_of_leaves_is_refused(parameters: dict[str, object], reason: str) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(200, 2))
    labels = rng.integers(0, 2 if parameters["objective"] == "binary" else 5, 200)
    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **parameters}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, labels, params=settings), 2)
    with pytest.raises(Unsupported, match=reason):
        read_forest(booster.model_to_string())


def test_categorical_splits_are_refused() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 5, size=(300, 2)).astype(float)
    settings = {"objective": "regression", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
    data = lightgbm.Dataset(matrix, (matrix[:, 0] == 2) * 1.0, categorical_feature=[0], params=settings)
    with pytest.raises(Unsupported, match="categorical"):
        read_forest(lightgbm.train(settings, data, 2).model_to_string())
