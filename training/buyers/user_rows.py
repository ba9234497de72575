"""Point-in-time rows of users, and of the session that each is in, read through Feast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
from feast import FeatureStore

from feature_repo.definitions.views import SESSION_STATE, USER_HISTORY, USER_WINDOWS
from feature_repo.schema import TIMESTAMP, Column, DType

# What the model reads of the two views with lists; of user_windows it reads everything.
HISTORY = ("history_counts", "history_first_us", "history_last_us")
SESSION: tuple[Column, ...] = tuple(c for c in SESSION_STATE.columns if c.dtype in (DType.FLOAT32, DType.INT64))
REFERENCES = (
    *(f"{USER_WINDOWS.name}:{column.name}" for column in USER_WINDOWS.columns),
    *(f"{USER_HISTORY.name}:{name}" for name in HISTORY),
    *(f"{SESSION_STATE.name}:{column.name}" for column in SESSION),
)
NO_SESSION = ""


def user_rows(store: FeatureStore, entity_rows: pa.Table) -> pa.Table:
    """(n,) rows, one for each entity row, in their order: user_id, session_id, event_timestamp.

    What is null: the session's columns where the session_id is NO_SESSION, and what nothing is known of.
    """
    # Feast takes a pandas frame; the join reads it as Arrow again.
    table = store.get_historical_features(entity_rows.to_pandas(), list(REFERENCES)).to_arrow()
    if len(table) != len(entity_rows):
        raise RuntimeError(f"the point-in-time join made {len(table)} rows of {len(entity_rows)} entity rows")
    return table


def entity_rows(users: pa.Array, at: datetime, sessions: Mapping[str, str]) -> pa.Table:
    """Of all ``users`` at one timestamp. ``sessions``: user -> the session that is live then."""
    ids = [sessions.get(user, NO_SESSION) for user in users.to_pylist()]
    return pa.table(
        {
            "user_id": users,
            "session_id": pa.array(ids, pa.string()),
            "event_timestamp": pa.array([at] * len(users), TIMESTAMP),
        }
    )
