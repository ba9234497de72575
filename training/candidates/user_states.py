"""What was known of users and sessions at a timestamp, read through Feast, as the sources are asked with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd
import pyarrow as pa

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries, queries_of_tables
from feature_repo.offline.slates import PointInTimeReader


def user_queries(reader: PointInTimeReader, codes: ItemCodes, at: datetime, user_ids: Sequence[str]) -> Queries:
    """One query per user at ``at``, without a session: (q,) of (q,) ids."""
    asked = pd.DataFrame({"user_id": user_ids, "session_id": "", "shown_ts": pd.Timestamp(at)})
    return asked_queries(reader, codes, asked, entity_tables(reader, asked))


def entity_tables(reader: PointInTimeReader, asked: pd.DataFrame) -> dict[str, pa.Table]:
    """The tables "user" and "session", each of one row per row of ``asked`` (user_id, session_id, shown_ts)."""
    return {entity: reader.entity_table(entity, asked[[f"{entity}_id", "shown_ts"]]) for entity in ("user", "session")}


def asked_queries(
    reader: PointInTimeReader, codes: ItemCodes, asked: pd.DataFrame, known: Mapping[str, pa.Table]
) -> Queries:
    """(q,) of a frame with shown_ts and the declared context columns, if any. ``known``: of :func:`entity_tables`."""
    names = [column.name for column in reader.declaration.context if column.name in asked.columns]
    contexts = [
        {name: value for name, value in zip(names, values, strict=True) if isinstance(value, str)}
        for values in asked[names].itertuples(index=False)
    ]
    shown_us = asked["shown_ts"].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64")
    return queries_of_tables(codes, shown_us.to_numpy(), known["user"], known["session"], contexts)
