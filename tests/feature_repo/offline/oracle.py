"""The point-in-time join, row by row, directly from the time contract: slow, simple and independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]

EVENT, CREATED = "event", "created"


@dataclass(frozen=True)
class OracleView:
    """``keys``: the entity frame's column -> the source row's; ``features``: output name -> the source row's.

    Each source row has EVENT, and CREATED where the view records it, as aware datetimes or None.
    """

    rows: Sequence[Row]
    keys: Mapping[str, str]
    features: Mapping[str, str]
    has_created: bool
    ttl: timedelta | None


def joined(
    entity_rows: Sequence[Row],
    timestamps: Sequence[datetime],
    views: Sequence[OracleView],
    known_at: datetime | None = None,
    known_when_scored: bool = False,
) -> list[dict[str, Any]]:
    """Every entity row once, in order, with all features. ``timestamps`` are the entity timestamps of the rows.

    ``known_at`` leaves out source rows that became known later. ``known_when_scored`` leaves out those that became
    known after the entity timestamp.
    """
    found = []
    for row, timestamp in zip(entity_rows, timestamps, strict=True):
        known_by = [bound for bound in (known_at, timestamp if known_when_scored else None) if bound is not None]
        result = dict(row)
        for view in views:
            result |= _features(row, timestamp, view, known_by)
        found.append(result)
    return found


def _features(row: Row, timestamp: datetime, view: OracleView, known_by: list[datetime]) -> dict[str, Any]:
    newest = None
    for candidate in view.rows:
        if not _same_keys(row, candidate, view.keys):
            continue
        if candidate[EVENT] is None or candidate[EVENT] > timestamp:
            continue
        if any(_known_from(candidate, view) > bound for bound in known_by):
            continue
        if newest is None or _is_newer(candidate, newest, view):
            newest = candidate
    if newest is None or (view.ttl and newest[EVENT] + view.ttl < timestamp):
        return dict.fromkeys(view.features)
    return {name: newest[source_name] for name, source_name in view.features.items()}


def _same_keys(row: Row, candidate: Row, keys: Mapping[str, str]) -> bool:
    return all(row[key] is not None and row[key] == candidate[source_key] for key, source_key in keys.items())


def _known_from(candidate: Row, view: OracleView) -> datetime:
    """The created time, or the event time if there is no created time."""
    if view.has_created and candidate[CREATED] is not None:
        return candidate[CREATED]
    return candidate[EVENT]


def _is_newer(candidate: Row, newest: Row, view: OracleView) -> bool:
    """Compares event time, then created time. An unknown created time is the oldest."""
    if candidate[EVENT] != newest[EVENT]:
        return candidate[EVENT] > newest[EVENT]
    if not view.has_created or candidate[CREATED] is None:
        return False
    return newest[CREATED] is None or candidate[CREATED] > newest[CREATED]
