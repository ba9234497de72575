"""Divides the accepted events, and the accepted changes of items, into sound ones and those that break a rule.

The files of the consumer stay as they are. The files that this writes (:mod:`feature_repo.live.checked_events`) are
made anew each time, from all files of the consumer. So an entry leaves the quarantine when its rule is changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.live.checked_events import CHECKED_EVENTS, Checked
from feature_repo.live.event_files import SCHEMA, reading
from feature_repo.live.items.files import SCHEMA as CHANGES_SCHEMA
from feature_repo.live.items.versions import CHECKED_CHANGES, is_untyped, typed_sql
from feature_repo.schema import Declaration, item_changes_table
from infra.duckdb_connection import connect
from infra.settings import Settings
from validation.gates.rule_evaluation import listed, set_timestamps
from validation.gates.rules.live_rules import change_rules, copy_rules, event_rules, live_files, once
from validation.gates.rules.rule import RowRule

ROWS_PER_BATCH = 100_000
_PLACE = ("filename AS file", "file_row_number AS file_row")


@dataclass(frozen=True)
class _Division:
    """What is divided, and how.

    key:    the column that identifies an entry
    schema: of the sound entries
    raw:    of the consumer's files
    rows:   SQL of the consumer's rows -> SQL with the columns of ``schema``, and ``file``, ``file_row`` of each row
    in_log: SQL whether the imported log has the entry
    rules:  an entry that breaks one is set aside
    """

    checked: Checked
    key: str
    schema: pa.Schema
    raw: pa.Schema
    rows: Callable[[str], str]
    in_log: str
    rules: Sequence[RowRule]


def set_aside(settings: Settings, now: datetime, *, only_copies: bool = False) -> list[Path]:
    """Write all files. Returns the files of the consumer that cannot be read, which are left out.

    ``only_copies``: set aside only copies of entries, and keep those that break another rule.

    Raises DatasetError if the log has no declaration, duckdb.Error if its events cannot be read.
    """
    declaration = declaration_of(settings)
    with reading(settings.live_dir), connect(settings) as connection:
        set_timestamps(connection, now, log_end=False)
        log = listed([settings.log_dir / "events.parquet"])
        connection.execute(f"CREATE TEMP VIEW log AS SELECT event_id FROM read_parquet([{log}])")
        divisions = (_events(settings, declaration, only_copies), _changes(settings, declaration, only_copies))
        return [path for division in divisions for path in _divide(connection, settings, division)]


def _events(settings: Settings, declaration: Declaration, only_copies: bool) -> _Division:
    sound = live_files(settings, declaration)[0]
    rules = copy_rules(sound) if only_copies else [*event_rules(sound), *copy_rules(sound)]
    in_log = "event_id IN (SELECT event_id FROM log)"
    return _Division(
        CHECKED_EVENTS,
        "event_id",
        SCHEMA,
        SCHEMA,
        lambda rows: f"SELECT *, {', '.join(_PLACE)} FROM {rows}",
        in_log,
        rules,
    )


def _changes(settings: Settings, declaration: Declaration, only_copies: bool) -> _Division:
    sound = live_files(settings, declaration)[2]
    rules = [once(sound)] if only_copies else [*change_rules(sound), once(sound)]
    more = (*_PLACE, f"({is_untyped(declaration)}) AS is_untyped")
    return _Division(
        CHECKED_CHANGES,
        "change_id",
        item_changes_table(declaration).arrow,
        CHANGES_SCHEMA,
        lambda rows: typed_sql(rows, declaration, *more),
        "false",
        rules,
    )


def _divide(connection: duckdb.DuckDBPyConnection, settings: Settings, division: _Division) -> list[Path]:
    """Returns the files that cannot be read."""
    checked = division.checked
    found = checked.accepted.files(settings.live_dir)
    files = [path for path in found if _is_readable(path, division.raw)]
    _open(connection, division, files)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE aside AS {_broken(division)}")
    settings.live_checked_dir.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f'"{name}"' for name in division.schema.names)
    order = f"ORDER BY received_ts, {division.key}"
    nullable = [field.with_nullable(True) for field in division.schema]
    aside = pa.schema([*nullable, pa.field("reasons", pa.list_(pa.string()))])
    query = f"SELECT {columns}, reasons FROM live JOIN aside USING (file, file_row) {order}"
    _write(connection, query, aside, checked.aside(settings), {})
    query = f"SELECT {columns} FROM live ANTI JOIN aside USING (file, file_row) {order}"
    _write(connection, query, division.schema, checked.sound(settings), checked.metadata(settings, found))
    return [path for path in found if path not in files]


def _is_readable(path: Path, schema: pa.Schema) -> bool:
    try:
        return bool(pq.read_schema(path).equals(schema))
    except (OSError, pa.ArrowException):
        return False


def _open(connection: duckdb.DuckDBPyConnection, division: _Division, files: Sequence[Path]) -> None:
    """Create the view ``live``: file and row of each entry, and its columns."""
    connection.register("none", division.raw.empty_table())
    rows = "(SELECT *, '' AS filename, 0 AS file_row_number FROM none)"
    if files:
        rows = f"read_parquet([{listed(files)}], hive_partitioning = false, filename = true, file_row_number = true)"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW live AS {division.rows(rows)}")


def _broken(division: _Division) -> str:
    """SQL for (file, file_row, reasons) of the entries that break a rule."""
    cases = ", ".join(f"CASE WHEN {rule.breaks} THEN {_text(rule.title)} END" for rule in division.rules)
    first = f"PARTITION BY {division.key} ORDER BY received_ts, file, file_row"
    return f"""
        SELECT file, file_row, list_filter([{cases}], lambda title: title IS NOT NULL) AS reasons
        FROM (SELECT *, {division.in_log} AS in_log, row_number() OVER ({first}) > 1 AS is_repeated FROM live)
        WHERE len(reasons) > 0
    """


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
