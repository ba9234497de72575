"""See :mod:`feature_repo.candidates.sources.own_history`. There is nothing to learn but which half-life to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from feature_repo.candidates.sources.own_history import OwnHistory
from feature_repo.definitions.extents import HALF_LIVES_DAYS
from training.candidates.known_log import KnownLog


def fit(_: KnownLog, params: Mapping[str, Any]) -> OwnHistory:
    """``half_life_days``: one of HALF_LIVES_DAYS, which the user's row holds. Raises ValueError for another."""
    half_life = int(params["half_life_days"])
    if half_life not in HALF_LIVES_DAYS:
        raise ValueError(f"half_life_days of own_history is {half_life}: the features hold {HALF_LIVES_DAYS}")
    return OwnHistory(half_life)
