"""Names of the Redis keys that this project writes itself, beside Feast's."""

from __future__ import annotations


def newest_event_us(dataset: str) -> str:
    """Timestamp of the newest accepted event, in the events Redis: microseconds since the epoch, in decimal."""
    return f"rerank:{dataset}:newest_event_us"


def newest_score_us(dataset: str) -> str:
    """Newest timestamp at which a slate was scored: microseconds since the epoch, in decimal."""
    return f"rerank:{dataset}:newest_score_us"


def materializations(dataset: str) -> str:
    """A hash with all materialization runs of a Feast project: run id -> JSON."""
    return f"rerank:{dataset}:materializations"


def write_probe(dataset: str) -> str:
    """Written to find out whether the server can be written."""
    return f"rerank:{dataset}:write_probe"
