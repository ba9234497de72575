import pytest

from training.evaluation.bootstrap import Interval
from training.ranker.promotion import decide


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
    decision = decide(baseline, "popularity", champion)
    assert decision.promoted is promoted
    assert "popularity" in decision.reason or "champion" in decision.reason
