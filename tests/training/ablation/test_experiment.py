"""Ablations of models whose labels are known to follow one column."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from training.ablation.columns import without_columns
from training.ablation.experiment import FEATURES, SEQUENCE, SOURCE, Arm, Experiment, Splits, list_values, run
from training.ranker.lambdamart import fit, ndcg_at_10
from training.training_set.ranking_data import RankingData

LISTS, ITEMS = 60, 8
NAMES = ("signal", "noise")
PARAMS = {
    "seed": 7,
    "rounds": 20,
    "early_stopping_rounds": 10,
    "bootstrap_resamples": 300,
    "lightgbm": {"num_leaves": 4, "learning_rate": 0.2, "min_data_in_leaf": 10},
}


def lists(seed: int) -> RankingData:
    """One wanted item in each list: the one with the largest signal."""
    matrix = np.random.default_rng(seed).normal(size=(LISTS * ITEMS, len(NAMES))).astype(np.float32)
    wanted = matrix[:, 0].reshape(LISTS, ITEMS).argmax(axis=1) + ITEMS * np.arange(LISTS)
    labels = np.zeros(len(matrix), np.int64)
    labels[wanted] = 1
    return RankingData(matrix, labels, np.full(LISTS, ITEMS), np.ones(LISTS, np.int64), NAMES)


TRAIN, VALIDATION = lists(1), lists(2)


def splits(*left_out: str) -> Splits:
    return Splits(without_columns(TRAIN, left_out), without_columns(VALIDATION, left_out), np.ones(LISTS, bool))


def nothing_left() -> Splits:
    """All candidates of all lists are lost."""
    none = RankingData(TRAIN.matrix[:0], TRAIN.labels[:0], TRAIN.sizes[:0], TRAIN.relevant_total[:0], NAMES)
    return Splits(none, none, np.zeros(LISTS, bool))


def experiment(full: Splits, *arms: Arm) -> Experiment:
    return Experiment("ranker", "ndcg@10", ndcg_at_10, PARAMS, lambda: full, arms, None, 0.0)


@pytest.fixture(scope="module")
def found():
    arms = [Arm(FEATURES, name, partial(splits, name)) for name in NAMES]
    return run(experiment(splits(), *arms, Arm(SOURCE, "only", nothing_left)), 1)


def test_the_column_that_the_labels_follow_is_worth_what_is_lost_without_it(found):
    signal, noise, _ = found.rows
    assert found.full.mean > 0.9
    assert signal.worth.mean == pytest.approx(found.full.mean - signal.value.mean)
    assert signal.worth.low > 0.2
    assert noise.worth.low <= 0.05
    assert noise.worth.high < signal.worth.low
    assert (found.columns, signal.columns, found.users, signal.worth.slates) == (2, 1, LISTS, LISTS)


def test_a_model_without_any_candidates_finds_nothing(found):
    only = found.rows[2]
    assert only.value.mean == 0
    assert (only.worth.mean, only.worth.low) == pytest.approx((found.full.mean, found.full.low))


def test_a_part_that_is_added_is_worth_what_the_model_gains_by_it():
    found = run(experiment(splits("signal"), Arm(SEQUENCE, "signal", splits, added=True)), 1)
    assert found.rows[0].value.mean > 0.9
    assert found.rows[0].worth.mean == pytest.approx(found.rows[0].value.mean - found.full.mean)
    assert found.rows[0].worth.low > 0.2


def test_seeds_are_averaged_by_list():
    arm = Arm(FEATURES, "noise", partial(splits, "noise"))
    found = run(experiment(splits(), arm), 1, seeds=2)
    data = splits("noise")
    means = []
    for seed in (PARAMS["seed"], PARAMS["seed"] + 1):
        fitted = fit(data.train, data.validation, {**PARAMS, "seed": seed}, 1, rounds=found.rounds)
        means.append(list_values(fitted, data, "ndcg@10", 0.0, 1).mean())
    assert found.rows[0].value.mean == pytest.approx(np.mean(means))


def test_a_list_that_lost_its_candidates_counts_as_missed_beside_those_that_are_judged():
    half = VALIDATION.sizes.cumsum() <= len(VALIDATION.labels) // 2
    rows = np.repeat(half, VALIDATION.sizes)
    rest = RankingData(
        VALIDATION.matrix[rows],
        VALIDATION.labels[rows],
        VALIDATION.sizes[half],
        VALIDATION.relevant_total[half],
        NAMES,
    )
    fitted = fit(TRAIN, VALIDATION, PARAMS, 1, rounds=10)
    values = list_values(fitted, Splits(TRAIN, rest, half), "ndcg@10", 0.0, 1)
    whole = list_values(fitted, splits(), "ndcg@10", 0.0, 1)
    assert values.tolist() == [*whole[half].tolist(), *([0.0] * (LISTS // 2))]
