"""The choice of the number of rounds, on curves written by hand and on a fit."""

from types import SimpleNamespace

import lightgbm
import numpy as np
import pytest

from tests.training.evaluation.test_ranker_evaluation import PARAMS, data
from training.evaluation.metrics import ScoredSlates, slate_metrics
from training.ranker.lambdamart import MIN_LEAF, fit, leaf_size, recall_at_25
from training.ranker.rounds import EVERY, RoundChoice, smoothed


def chosen(values, *, floor=1, patience=None):
    """The choice after the judged ``values``, and the round at which the fit stopped, or None."""
    scores = iter(values)
    found = object()
    choice = RoundChoice(
        {"validation": (found, lambda _: 0.0)}, lambda _: next(scores), floor, EVERY * len(values), patience
    )
    for iteration in range(EVERY * len(values)):
        choice.feval(np.zeros(1), found)
        try:
            choice(SimpleNamespace(iteration=iteration))
        except lightgbm.callback.EarlyStopException:
            return choice.best, iteration + 1
    return choice.best, None


def test_one_high_value_among_low_ones_does_not_decide():
    assert chosen([0.5, 0.9, 0.5, 0.5, 0.6, 0.7, 0.75, 0.75, 0.75, 0.7, 0.6])[0] == 8 * EVERY


def test_no_round_before_the_floor_is_chosen():
    falling = [0.9 - 0.01 * i for i in range(20)]
    assert chosen(falling)[0] == EVERY
    assert chosen(falling, floor=50)[0] == 50


def test_a_floor_above_the_number_of_rounds_chooses_the_last():
    assert chosen([0.5, 0.4], floor=500)[0] == 2 * EVERY


def test_the_patience_counts_from_the_floor():
    falling = [0.9 - 0.01 * i for i in range(40)]
    assert chosen(falling, floor=50, patience=30) == (50, 80)


def test_a_mean_has_as_many_neighbours_on_the_left_as_on_the_right():
    assert smoothed(np.array([1.0, 2.0, 6.0, 4.0, 2.0, 0.0])).tolist() == pytest.approx([1, 3, 3, 2.8, 2, 0])


def test_the_curve_of_a_fit_is_the_metric_that_judges_the_model():
    validation = data(50, 2)
    fitted = fit(data(150, 1), validation, {**PARAMS, "rounds": 12}, 1, rounds=12)
    assert fitted.curve["iteration"] == [5, 10, 12]
    scores = np.asarray(fitted.booster.predict(validation.matrix))
    slates = ScoredSlates(scores, validation.labels, validation.sizes, validation.relevant_total)
    assert fitted.curve["validation"][-1] == pytest.approx(np.nanmean(slate_metrics(slates).values["ndcg@10"]))


def test_the_curve_may_be_of_recall():
    validation = data(50, 2)
    fitted = fit(data(150, 1), validation, {**PARAMS, "rounds": 12}, 1, rounds=12, measured=recall_at_25)
    scores = np.asarray(fitted.booster.predict(validation.matrix))
    slates = ScoredSlates(scores, validation.labels, validation.sizes, validation.relevant_total)
    assert fitted.curve["validation"][-1] == pytest.approx(np.nanmean(slate_metrics(slates).values["recall@25"]))


def test_lists_may_weigh_the_same_whatever_was_wanted():
    train, validation = data(150, 1), data(50, 2)
    booster = {
        weights: fit(train, validation, {**PARAMS, "weights": weights}, 1, rounds=5).booster.model_to_string()
        for weights in ("equal", "per_list")
    }
    assert booster["equal"] != booster["per_list"]
    with pytest.raises(ValueError, match="neither 'equal' nor 'per_list'"):
        fit(train, validation, {**PARAMS, "weights": "other"}, 1, rounds=5)


def test_leaves_are_as_configured_on_much_data_and_smaller_on_little():
    assert leaf_size(300, 800_000) == 300
    assert leaf_size(300, 1_600) == 100
    assert leaf_size(300, 30) == MIN_LEAF
    assert leaf_size(5, 30) == 5
