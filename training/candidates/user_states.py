"""What was known of users and sessions at a timestamp, read through Feast, as the sources are asked with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import pyarrow as pa

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries, queries_of_tables
from feature_repo.offline.slates import PointInTimeReader


def user_queries(reader: PointInTimeReader, codes: ItemCodes, at: datetime, user_ids: Sequence[str]) -> Queries:
    """One query per user at ``at``, without a session: (q,) of (q,) ids."""
    asked = pd.DataFrame({"user_id": user_ids, "session_id": "", "shown_ts": pd.Timestamp(at)})
    return asked_queries(reader, codes, asked)


def asked_queries(reader: PointInTimeReader, codes: ItemCodes, asked: pd.DataFrame) -> Queries:
    """(q,) of a frame with user_id, session_id ('' for none), shown_ts, and the declared context columns, if any."""
    names = [column.name for column in reader.declaration.context if column.name in asked.columns]
    contexts = [
        {name: value for name, value in zip(names, values, strict=True) if isinstance(value, str)}
        for values in asked[names].itertuples(index=False)
    ]
    return queries_of_tables(
        codes,
        asked["shown_ts"].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64").to_numpy(),
        reader.entity_table("user", asked[["user_id", "shown_ts"]]),
        _sessions(reader, asked),
        contexts,
    )


def _sessions(reader: PointInTimeReader, asked: pd.DataFrame) -> pa.Table | None:
    if not (asked["session_id"] != "").any():
        return None
    return reader.entity_table("session", asked[["session_id", "shown_ts"]])
