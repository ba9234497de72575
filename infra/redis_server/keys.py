"""Names of the plain Redis keys that are not Feast's."""

from __future__ import annotations


def newest_event_us(dataset: str) -> str:
    """Newest accepted event, in the events' Redis: microseconds since the epoch, in decimal."""
    return f"rerank:{dataset}:newest_event_us"


def newest_score_us(dataset: str) -> str:
    """Newest moment at which a slate was scored: microseconds since the epoch, in decimal."""
    return f"rerank:{dataset}:newest_score_us"


def materializations(dataset: str) -> str:
    """Hash of all runs of materialization of a Feast project: run id -> JSON."""
    return f"rerank:{dataset}:materializations"
