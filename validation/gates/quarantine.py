"""Divides the accepted live events into sound ones and those that break a rule.

The event files stay as they are. The files that this writes (:mod:`feature_repo.live.checked_events`) are made anew
each time, from all event files. So an event leaves the quarantine when its rule is changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.duckdb_connection import connect
from feature_repo.live.checked_events import checked_events, files_metadata, quarantined_events
from feature_repo.live.event_files import SCHEMA, event_files, reading
from infra.settings import Settings
from validation.gates.rule_evaluation import listed, set_timestamps
from validation.gates.rules.live_rules import copy_rules, event_rules, live_files
from validation.gates.rules.rule import RowRule

ROWS_PER_BATCH = 100_000


def set_aside(settings: Settings, now: datetime, *, only_copies: bool = False) -> list[Path]:
    """Write both files. Returns the event files that cannot be read, which are left out.

    ``only_copies``: set aside only copies of events, and keep the events that break another rule.

    Raises DatasetError if the log has no declaration, duckdb.Error if its events cannot be read.
    """
    sound, _ = live_files(settings, declaration_of(settings))
    rules = copy_rules(sound) if only_copies else [*event_rules(sound), *copy_rules(sound)]
    with reading(settings.live_dir), connect(settings) as connection:
        found = event_files(settings.live_dir)
        files = [path for path in found if _is_readable(path)]
        set_timestamps(connection, now, log_end=False)
        _open(connection, settings, files)
        connection.execute(f"CREATE TEMP TABLE aside AS {_broken(rules)}")
        settings.live_checked_dir.mkdir(parents=True, exist_ok=True)
        schema = pa.schema(
            [*(field.with_nullable(True) for field in SCHEMA), pa.field("reasons", pa.list_(pa.string()))]
        )
        _write(connection, _ASIDE, schema, quarantined_events(settings), {})
        _write(connection, _SOUND, SCHEMA, checked_events(settings), files_metadata(settings, found))
    return [path for path in found if path not in files]


def _is_readable(path: Path) -> bool:
    try:
        return bool(pq.read_schema(path).equals(SCHEMA))
    except (OSError, pa.ArrowException):
        return False


def _open(connection: duckdb.DuckDBPyConnection, settings: Settings, files: Sequence[Path]) -> None:
    """The tables ``live`` (with file and row of each event) and ``log``."""
    connection.register("none", SCHEMA.empty_table())
    source = "SELECT *, '' AS file, 0 AS file_row FROM none"
    if files:
        source = (
            f"SELECT * RENAME (filename AS file, file_row_number AS file_row) FROM read_parquet([{listed(files)}], "
            "hive_partitioning = false, filename = true, file_row_number = true)"
        )
    connection.execute(f"CREATE TEMP VIEW live AS {source}")
    log = listed([settings.log_dir / "events.parquet"])
    connection.execute(f"CREATE TEMP VIEW log AS SELECT event_id FROM read_parquet([{log}])")


def _broken(rules: Sequence[RowRule]) -> str:
    """SQL for (file, file_row, reasons) of the events that break a rule."""
    cases = ", ".join(f"CASE WHEN {rule.breaks} THEN {_text(rule.title)} END" for rule in rules)
    return f"""
        SELECT file, file_row, list_filter([{cases}], lambda title: title IS NOT NULL) AS reasons
        FROM (
            SELECT *, event_id IN (SELECT event_id FROM log) AS in_log,
                row_number() OVER (PARTITION BY event_id ORDER BY received_ts, file, file_row) > 1 AS is_repeated
            FROM live
        ) WHERE len(reasons) > 0
    """


_ASIDE_SCHEMA = pa.schema(
    [*(field.with_nullable(True) for field in SCHEMA), pa.field("reasons", pa.list_(pa.string()))]
)
_COLUMNS = ", ".join(f'"{name}"' for name in SCHEMA.names)
_ASIDE = f"SELECT {_COLUMNS}, reasons FROM live JOIN aside USING (file, file_row) ORDER BY received_ts, event_id"
_SOUND = f"SELECT {_COLUMNS} FROM live ANTI JOIN aside USING (file, file_row) ORDER BY received_ts, event_id"


def _write(
    connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema, path: Path, metadata: Mapping[bytes, bytes]
) -> None:
    """The file is complete or absent. Equal rows give equal files."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with pq.ParquetWriter(partial, schema.with_metadata(dict(metadata)), compression="zstd") as writer:
            for batch in connection.sql(query).to_arrow_reader(ROWS_PER_BATCH):
                writer.write_batch(batch.cast(schema))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
