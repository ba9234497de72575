"""Decides whether a trained model becomes the champion."""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class Decision:
    """``reason``: one sentence."""

    promoted: bool
    reason: str


def decide(against_baseline: Interval, baseline: str, against_champion: Interval | None) -> Decision:
    """Promote a model that is significantly better than the best baseline and not significantly worse than the
    champion: the lower 95 % bound of the paired difference is above 0, and the upper bound not below 0.
    """
    if not against_baseline.low > 0:
        return Decision(
            False,
            f"not promoted: NDCG@10 minus that of {baseline} is {_text(against_baseline)}; its lower bound is not "
            "above 0",
        )
    if against_champion is not None and against_champion.high < 0:
        return Decision(False, f"not promoted: NDCG@10 minus that of the champion is {_text(against_champion)}")
    reason = f"promoted: NDCG@10 minus that of {baseline} is {_text(against_baseline)}"
    if against_champion is not None:
        reason += f", minus that of the current champion {_text(against_champion)}"
    return Decision(True, reason)


def _text(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}] on {interval.slates} slates"
