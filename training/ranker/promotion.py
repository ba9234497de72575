"""Decides whether a trained model becomes the champion, and which baseline serves where no model is proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.evaluation.baselines import CALLERS_ORDER, SERVED
from training.evaluation.bootstrap import CONFIDENCE, Interval
from training.evaluation.ranker_evaluation import Evaluation

MIN_CLUSTERS = 8  # users in the test slates; fewer prove nothing


@dataclass(frozen=True)
class Decision:
    """``reason``: what was decided and by which numbers; where it is no promotion, then what to look at."""

    promoted: bool
    reason: str


@dataclass(frozen=True)
class Reports:
    """What a refused promotion points to. ``training``: the page of the run; ``gate``: the import report."""

    training: Path
    gate: Path


def decide(
    against_baseline: Interval,
    baseline: str,
    against_champion: Interval | None,
    reports: Reports,
    *,
    users: int,
    leak: str = "",
    metric: str = "NDCG@10",
    yardstick: tuple[str, Interval] | None = None,
) -> Decision:
    """Promote a model that is significantly better than the best baseline that can serve and not significantly worse
    than the champion: the lower 95 % bound of the paired difference is above 0, and the upper bound not below 0.

    ``users``: the clusters of the intervals. ``metric``: its name. ``leak``: how the slates' outcomes leak
    into the features, as a sentence; a gain on such a log is held back. ``yardstick``: a better baseline, which cannot
    serve, and the difference to it; it is only said, because refusing the model would serve something worse.
    """
    gain = f"{metric} minus that of {baseline} is {_text(against_baseline)}"
    if yardstick is not None:
        gain += f", minus that of {yardstick[0]}, which cannot serve, {_text(yardstick[1])}"
    if leak:
        return Decision(
            False,
            f"not promoted: {leak}. The features then know the label, so the gain is held back ({gain}). Look at the "
            f"times and time zones of events and slates, and at the examples in {reports.gate}",
        )
    if users < MIN_CLUSTERS:
        return Decision(
            False,
            f"not promoted: the test slates are of {users} users, and fewer than {MIN_CLUSTERS} prove "
            f"nothing ({gain}). Collect more slates, or begin the test split earlier (params.yaml, split)",
        )
    if not against_baseline.low > 0:
        return Decision(
            False,
            f"not promoted: {gain}; its lower bound is not above 0. Look at the learning curve, the importance of the "
            f"features and the intervals in {reports.training}; with more test slates the interval gets narrower",
        )
    if against_champion is not None and against_champion.high < 0:
        return Decision(
            False,
            f"not promoted: {metric} minus that of the champion is {_text(against_champion)}. Look at what changed "
            f"in the log since the champion was trained, and at {reports.training}",
        )
    reason = f"promoted: {gain}"
    if against_champion is not None:
        reason += f", minus that of the current champion {_text(against_champion)}"
    return Decision(True, reason)


def fallback(evaluation: Evaluation, *, leak: str = "") -> str:
    """The baseline to serve where no model is proven: the caller's order, unless others are significantly better.

    Several are compared with it, so each bound is that of a Bonferroni interval. Of those above it the best is taken.
    On a log that leaks, it is the caller's order.
    """
    compared = [name for name in SERVED if name != CALLERS_ORDER]
    if leak or evaluation.users < MIN_CLUSTERS:
        return CALLERS_ORDER
    confidence = 1 - (1 - CONFIDENCE) / len(compared)
    better = [name for name in compared if evaluation.difference(name, CALLERS_ORDER, confidence).low > 0]
    return max(better, key=evaluation.mean, default=CALLERS_ORDER)


def best_baseline(means: Mapping[str, float]) -> str:
    """The highest mean of these baselines; the caller's order where none is defined."""
    known = {name: mean for name, mean in means.items() if mean == mean}
    return max(known, key=lambda name: known[name], default=CALLERS_ORDER)


def _text(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}] on {interval.slates} slates"
