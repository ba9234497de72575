"""Redis keys of our own, beside the ones Feast writes."""

from __future__ import annotations


def newest_event(dataset: str) -> str:
    """Instant of the newest accepted event, µs since the epoch."""
    return f"rerank:{dataset}:newest_event_us"


def newest_score(dataset: str) -> str:
    """Instant of the newest answered /score, µs since the epoch."""
    return f"rerank:{dataset}:newest_score_us"


def materialized(dataset: str) -> str:
    """Id of the materialization that filled this Redis last; an emptied Redis has none."""
    return f"rerank:{dataset}:materialized"
