"""train, val and test by time: what is known at a boundary is all that may be learnt from.

    ───────────── train ─────────────│──── val ────│──── test ────│ last event
                                test - validation_days        - test_days

A session belongs to where it begins. One that runs on past the end of train or val is cut there, and test alone sees
its sessions whole, so nothing that happens after a boundary changes what stands before it.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.gru4rec.errors import SplitError
from training.gru4rec.sessions.session_cuts import Log

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Boundaries:
    """First moments of val and of test, µs since the epoch; equal where there is no validation."""

    val_us: int
    test_us: int

    @classmethod
    def before(cls, last_us: int, test_days: float, validation_days: float) -> Boundaries:
        """test: sessions that begin in the last ``test_days`` up to the last event."""
        test_us = last_us - round(test_days * DAY_US)
        return cls(test_us - round(validation_days * DAY_US), test_us)


def split_by_time(log: Log, boundaries: Boundaries) -> tuple[Log, Log, Log]:
    """train, val, test. Raises SplitError where train or test is empty."""
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
