"""On labels that depend on nothing no model is promoted."""

import numpy as np

from infra.models.ranker import LightGbmRanker
from tests.training.evaluation.test_ranker_evaluation import NAMES, PARAMS, data
from tests.training.ranker.test_promotion import REPORTS
from training.evaluation.baselines import BASELINES, baselines
from training.evaluation.ranker_evaluation import evaluate
from training.ranker.lambdamart import fit
from training.ranker.promotion import best_baseline, decide

RUNS = 20
USERS = 15


def test_on_random_labels_nothing_is_promoted_in_20_runs():
    decisions = []
    for run in range(RUNS):
        train, validation, test = (
            data(slates, 3 * run + i).with_shuffled_labels(run) for i, slates in enumerate((80, 30, 60))
        )
        object.__setattr__(test, "clusters", np.arange(60) % USERS)
        fitted = fit(train, validation, PARAMS, 1)
        found = evaluate(
            {"model": LightGbmRanker(fitted.booster, NAMES), **baselines(NAMES)}, test, seed=run, resamples=300
        )
        best = best_baseline({name: found.mean(name) for name in BASELINES})
        decisions.append(decide(found.difference("model", best), best, None, REPORTS, users=found.users))
        print(run, decisions[-1].reason[:100])
    assert [decision.promoted for decision in decisions] == [False] * RUNS
