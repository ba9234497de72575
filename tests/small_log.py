"""Rows of a small canonical log, written by hand in a test, and the function that writes the log."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from feature_repo.datasets.import_notes import ImportNote
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.schema import Declaration, Table, log_tables

START = datetime(2024, 3, 1, tzinfo=UTC)
DECLARATION = Declaration(name="tiny", title="A log made by hand")


def at(days: float = 0, seconds: float = 0) -> datetime:
    return START + timedelta(days=days, seconds=seconds)


def item(item_id: str, **fields: Any) -> dict[str, Any]:
    return {"item_id": item_id, "valid_from_ts": at(), "category_id": "c", "price": 2.0, **fields}


def event(number: int, when: datetime, action: str, item_id: str | None, **fields: Any) -> dict[str, Any]:
    defaults = {"user_id": "u", "session_id": "s", "received_ts": when, "category_id": "c", "price": 2.0}
    return {
        "event_id": f"e{number:04d}",
        "event_ts": when,
        "action": action,
        "item_id": item_id,
        **defaults,
        **fields,
    }


def impression(
    slate: str, position: int, when: datetime, item_id: str, label: int = 0, **fields: Any
) -> dict[str, Any]:
    return {
        "slate_id": slate,
        "user_id": "u",
        "session_id": "s",
        "item_id": item_id,
        "shown_ts": when,
        "input_position": position,
        "label": label,
        "relevant_total": 1,
        **fields,
    }


def write_log(
    out: Path,
    *,
    items: list[dict[str, Any]],
    events: list[dict[str, Any]],
    impressions: list[dict[str, Any]],
    declaration: Declaration = DECLARATION,
    notes: Iterable[ImportNote] = (),
) -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    with LogWriter(out, declaration) as log:
        for table, rows in zip(log_tables(declaration), (items, events, impressions), strict=True):
            connection.register("rows", _frame(table, rows))
            log.write(connection, table, "SELECT * FROM rows")
        for note in notes:
            log.note(note)


def _frame(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=[column.name for column in table.columns])
    return frame.astype({name: "string" for name in frame if frame[name].isna().all()})
