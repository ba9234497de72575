"""What more training slates are worth."""

from __future__ import annotations

import numpy as np

from training.ranker.learning_curve import learning_curve, markdown
from training.training_set.ranking_data import RankingData

PARAMS = {
    "seed": 3, "rounds": 60, "min_rounds": 10, "early_stopping_rounds": 20, "bootstrap_resamples": 200,
    "lightgbm": {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 5},
}  # fmt: skip
NAMES = (
    "orders_28d", "bought_count", "carts_28d", "views_28d", "bought_decayed_60d", "bought_age_s", "touched_age_s",
    "input_position",
)  # fmt: skip
INFORMATIVE, ITEMS = 2, 8


def slates(count: int, seed: int) -> RankingData:
    """One positive per slate: the item whose noisy sum of the informative features is the largest."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, ITEMS, len(NAMES))).astype(np.float32)
    utility = matrix[:, :, :INFORMATIVE].sum(axis=2) + random.normal(size=(count, ITEMS))
    labels = (utility == utility.max(axis=1, keepdims=True)).astype(np.int64)
    return RankingData(
        matrix.reshape(-1, len(NAMES)), labels.ravel(), np.full(count, ITEMS), np.ones(count, np.int64), NAMES,
        clusters=np.arange(count),
    )  # fmt: skip


def test_smaller_sets_are_inside_larger_ones_and_slates_stay_whole() -> None:
    data = slates(50, 1)
    small, large = data.sample(10, 7), data.sample(30, 7)
    assert (len(small.sizes), len(large.sizes)) == (10, 30)
    assert set(small.clusters) < set(large.clusters)  # type: ignore[arg-type]
    for i, cluster in enumerate(small.clusters):  # type: ignore[arg-type]
        rows = slice(i * ITEMS, (i + 1) * ITEMS)
        np.testing.assert_array_equal(small.matrix[rows], data.matrix[cluster * ITEMS : (cluster + 1) * ITEMS])


def test_the_curve_has_the_given_sizes_below_all_and_all_of_them() -> None:
    data = {"train": slates(300, 1), "validation": slates(100, 2), "test": slates(400, 3)}
    found = learning_curve(data, PARAMS, (20, 100, 5_000), 1)
    assert [row["slates"] for row in found["sizes"]] == [20, 100, 300]
    assert [row["rows"] for row in found["sizes"]] == [160, 800, 2_400]
    assert found["test_slates"] == 400
    values = [row["value"] for row in found["sizes"]]
    assert values[0] < values[-1], "of 20 slates less is learnt than of 300"
    last = found["sizes"][-1]
    assert np.isclose(last["over_smaller"]["mean"], values[-1] - values[1])
    assert last["over_baseline"]["low"] > 0
    assert found["sizes"][0]["over_smaller"] is None


def test_the_table_has_a_row_for_each_size() -> None:
    interval = {"mean": 0.01, "low": -0.001, "high": 0.02}
    row = {"slates": 3000, "rows": 9, "rounds": 40, "fit_minutes": 1.26, "value": 0.3214, "over_baseline": interval}
    found = {
        "metric": "ndcg@10", "baseline": "popularity", "test_slates": 1200, "users": 30,
        "sizes": [{**row, "over_smaller": None}, {**row, "slates": 10_000, "over_smaller": interval}],
    }  # fmt: skip
    assert markdown(found).splitlines()[2:] == [
        "| 3,000 | 40 | 1.3 | 0.3214 | +0.0100 [-0.0010, +0.0200] |  |",
        "| 10,000 | 40 | 1.3 | 0.3214 | +0.0100 [-0.0010, +0.0200] | +0.0100 [-0.0010, +0.0200] |",
        "",
        "1,200 test slates of 30 users.",
    ]
