from pathlib import Path

import numpy as np
import pytest

from training.evaluation.baselines import BASELINES
from training.evaluation.bootstrap import Interval
from training.evaluation.ranker_evaluation import Evaluation
from training.ranker.promotion import Reports, best_baseline, decide, fallback

REPORTS = Reports(Path("reports/training.html"), Path("reports/validation/log/summary.md"))


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 100)


@pytest.mark.parametrize(
    ("baseline", "champion", "promoted"),
    [
        (interval(0.01, 0.03), None, True),
        (interval(0.0, 0.03), None, False),
        (interval(-0.01, 0.03), None, False),
        (interval(0.01, 0.03), interval(-0.02, 0.01), True),  # not significantly worse
        (interval(0.01, 0.03), interval(-0.02, -0.001), False),
        (interval(0.01, 0.03), interval(0.0, 0.0), True),
        (interval(float("nan"), float("nan")), None, False),
    ],
)
def test_a_model_is_promoted_only_if_better_than_the_baseline_and_not_significantly_worse_than_the_champion(
    baseline, champion, promoted
):
    decision = decide(baseline, "popularity", champion, REPORTS, users=100)
    assert decision.promoted is promoted
    assert "popularity" in decision.reason or "champion" in decision.reason


def test_a_refusal_has_the_numbers_and_says_what_to_look_at():
    reason = decide(interval(-0.01, 0.03), "popularity", None, REPORTS, users=100).reason
    assert "+0.0100 [-0.0100, +0.0300] on 100 slates" in reason
    assert "reports/training.html" in reason


def test_a_better_baseline_that_cannot_serve_is_said_and_refuses_nothing():
    yardstick = ("click_through", interval(-0.02, 0.03))
    decision = decide(interval(0.01, 0.03), "popularity", None, REPORTS, users=100, yardstick=yardstick)
    assert decision.promoted
    assert "minus that of click_through, which cannot serve, +0.0050 [-0.0200, +0.0300]" in decision.reason


def test_a_gain_on_a_log_that_leaks_is_held_back_with_the_reason():
    decision = decide(interval(0.4, 0.44), "random", None, REPORTS, users=100, leak="9 of 10 positives stand early")
    assert not decision.promoted
    assert "9 of 10 positives stand early" in decision.reason
    assert "+0.4200" in decision.reason
    assert "reports/validation/log/summary.md" in decision.reason


def test_slates_of_a_few_users_prove_nothing():
    decision = decide(interval(0.4, 0.44), "random", None, REPORTS, users=3)
    assert not decision.promoted
    assert "3 users" in decision.reason


def evaluation(users: int = 400, **gains: float) -> Evaluation:
    """One slate per user. All baselines have the same NDCG but for a gain, which a quarter of the slates have."""
    rng = np.random.default_rng(1)
    base = rng.uniform(0.3, 0.7, users)
    has_gain = np.arange(users) % 4 == 0
    values = {name: base + 4 * gains.get(name, 0.0) * has_gain for name in BASELINES}
    noise = {name: rng.normal(scale=0.1, size=users) for name in BASELINES}
    found = {name: {"ndcg@10": values[name] + noise[name] - noise[name].mean()} for name in BASELINES}
    return Evaluation(found, seed=1, resamples=1000)


def test_the_callers_order_serves_where_no_baseline_is_significantly_better():
    assert fallback(evaluation()) == "input_order"
    assert fallback(evaluation(popularity=0.002)) == "input_order"


def test_the_best_of_the_significantly_better_baselines_serves():
    assert fallback(evaluation(popularity=0.05, recency=0.1)) == "recency"


def test_random_never_serves():
    assert fallback(evaluation(random=0.2)) == "input_order"
    assert fallback(evaluation(random=0.2, popularity=0.05)) == "popularity"


def test_on_a_log_that_leaks_and_with_few_users_the_callers_order_serves():
    assert fallback(evaluation(popularity=0.2), leak="outcomes are early") == "input_order"
    assert fallback(evaluation(users=4, popularity=0.2)) == "input_order"


def test_the_best_baseline_has_the_highest_mean_and_is_the_callers_order_where_nothing_is_judged():
    assert best_baseline({"random": 0.5, "popularity": 0.4}) == "random"
    assert best_baseline({"random": float("nan"), "popularity": float("nan")}) == "input_order"
