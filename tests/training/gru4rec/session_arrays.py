"""Sessions written as lists of items."""

from collections.abc import Sequence

import numpy as np

from training.gru4rec.sessions.processed import Sessions

DAY_US = 86_400_000_000


def sessions_of(*sessions: Sequence[int], ended_days: Sequence[float] | None = None) -> Sessions:
    """One event per microsecond. The last event of session k is at ``ended_days[k]``, by default at k days."""
    days = list(range(len(sessions))) if ended_days is None else ended_days
    times = [int(day * DAY_US) - np.arange(len(s))[::-1] for day, s in zip(days, sessions, strict=True)]
    return Sessions(
        np.array([item for session in sessions for item in session], dtype=np.int32),
        np.cumsum([0, *map(len, sessions)]).astype(np.int64),
        np.concatenate([*times, np.empty(0)]).astype(np.int64),
    )
