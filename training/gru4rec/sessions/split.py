"""Split by time into train, val and test. Train contains only what was known at its boundary.

    ───────────── train ─────────────│──── val ────│──── test ────│ last event
                                test - validation_days        - test_days

A session belongs to the split in which it begins. A session that continues after the end of train or val is cut there,
so no event after a boundary changes the split before it. Sessions of test are never cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.gru4rec.errors import SplitError
from training.gru4rec.sessions.session_cuts import Log

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Boundaries:
    """First timestamps of val and of test, µs since the epoch; equal without validation."""

    val_us: int
    test_us: int

    @classmethod
    def before(cls, last_us: int, test_days: float, validation_days: float) -> Boundaries:
        """test: the sessions that begin in the last ``test_days`` before the last event."""
        test_us = last_us - round(test_days * DAY_US)
        return cls(test_us - round(validation_days * DAY_US), test_us)


def split_by_time(log: Log, boundaries: Boundaries) -> tuple[Log, Log, Log]:
    """train, val, test. Raises SplitError if train or test is empty."""
    begins = log.begins_us()
    train = log.where((begins < boundaries.val_us) & (log.ts_us < boundaries.val_us))
    val = log.where((begins >= boundaries.val_us) & (begins < boundaries.test_us) & (log.ts_us < boundaries.test_us))
    test = log.where(begins >= boundaries.test_us)
    for name, found in (("train", train), ("test", test)):
        if not len(found):
            raise SplitError(
                f"{name} is empty: the log spans {(log.ts_us.max() - log.ts_us.min()) / DAY_US:.1f} days; "
                "shorten data.test_days and data.validation_days"
            )
    return train, val, test
