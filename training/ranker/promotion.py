"""Whether a trained model may serve."""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class Decision:
    """``promoted`` with the reason in one sentence."""

    promoted: bool
    reason: str


def decide(against_baseline: Interval, baseline: str, against_champion: Interval | None) -> Decision:
    """Promote if the paired lower 95 % bound over the best baseline is above 0 and the upper bound over the
    present champion is not below 0: better than no model for certain, and not worse than the model there is.
    """
    if not against_baseline.low > 0:
        return Decision(
            False,
            f"not promoted: NDCG@10 over {baseline} is {_text(against_baseline)}, whose lower bound is not above 0",
        )
    if against_champion is not None and against_champion.high < 0:
        return Decision(False, f"not promoted: NDCG@10 over the champion is {_text(against_champion)}")
    reason = f"promoted: NDCG@10 over {baseline} is {_text(against_baseline)}"
    if against_champion is not None:
        reason += f", over the present champion {_text(against_champion)}"
    return Decision(True, reason)


def _text(interval: Interval) -> str:
    return f"{interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}] on {interval.slates} slates"
