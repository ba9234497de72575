"""Point-in-time rows of users, and of the session that each is in, read through Feast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
from feast import FeatureStore

from feature_repo.schema import SESSION_STATE, TIMESTAMP, USER_HISTORY, USER_WINDOWS, Column, DType

# What the model reads of the two views with lists; of user_windows it reads everything.
HISTORY = ("history_counts", "history_first_us", "history_last_us")
SESSION: tuple[Column, ...] = tuple(c for c in SESSION_STATE.columns if c.dtype in (DType.FLOAT32, DType.INT64))
REFERENCES = (
    *(f"{USER_WINDOWS.name}:{column.name}" for column in USER_WINDOWS.columns),
    *(f"{USER_HISTORY.name}:{name}" for name in HISTORY),
    *(f"{SESSION_STATE.name}:{column.name}" for column in SESSION),
)
NO_SESSION = ""


def user_rows(store: FeatureStore, users: pa.Array, at: datetime, sessions: Mapping[str, str]) -> pa.Table:
    """(n,) rows as known at ``at``, one for each of the ``users``, in their order.

    sessions: user -> the session that is live at ``at``; the session's columns are null where there is none, and so is
    what nothing is known of
    """
    ids = users.to_pylist()
    frame = pa.table(
        {
            "user_id": users,
            "session_id": pa.array([sessions.get(user, NO_SESSION) for user in ids], pa.string()),
            "event_timestamp": pa.array([at] * len(ids), TIMESTAMP),
        }
    )
    # Feast takes pandas frames only; the join is done on Arrow tables.
    table = store.get_historical_features(frame.to_pandas(), list(REFERENCES)).to_arrow()
    if len(table) != len(frame):
        raise RuntimeError(f"the point-in-time join made {len(table)} rows of {len(frame)} users")
    return table
