"""The time to live, applied online: a row counts from its event timestamp until its view's ttl later, both inclusive.

Feast applies none online. The point-in-time join applies the same rule offline.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feature_repo.definitions.view import View


def is_valid(view: View, event_us: int, scored_us: int) -> bool:
    """``event_us``: the row's event timestamp, 0 where there is no row."""
    return 0 < event_us <= scored_us <= event_us + view.ttl_us


def is_ahead(timestamps: Iterable[NDArray[np.int64]], scored_us: int) -> bool:
    """Whether any row has an event timestamp after ``scored_us``: another client wrote it, and nobody may use it yet.

    Being the newest it keeps out every later row, so its entity counts as missing even where other views have rows.
    """
    return any(int(each.max(initial=0)) > scored_us for each in timestamps)


def are_valid(event_us: NDArray[np.int64], ttl_us: NDArray[np.int64], scored_us: int) -> NDArray[np.bool_]:
    """The same for many rows: event_us (views, n), ttl_us (views,) -> (views, n)."""
    valid: NDArray[np.bool_] = (event_us >= np.maximum(scored_us - ttl_us, 1)[:, None]) & (event_us <= scored_us)
    return valid
