"""The view session_state: the session fold over the log, with one row per folded event.

Sessions are independent of each other. So each process reads the events of its share of the sessions, ordered by
session and receipt, and writes a part file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.build.feature_writer import write_view
from feature_repo.build.log_views import open_log
from feature_repo.definitions.views import SESSION_STATE
from feature_repo.sessions import Replay, SessionEvent
from infra.duckdb_connection import connect
from infra.settings import Settings

ROWS_PER_GROUP = 100_000
SMALL_LOG = 200_000  # events; below this, starting processes costs more than it saves


def write(settings: Settings, live: Sequence[Path], folder: Path) -> None:
    """``live``: files of accepted events that belong to the log."""
    parts = folder / f".session_state.{os.getpid()}.parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    try:
        connection = connect(settings)
        open_log(connection, settings, live, changes=())
        events = connection.execute("SELECT count(*) FROM events").fetchall()[0][0]
        shares = 1 if events < SMALL_LOG else settings.threads
        job = partial(_write_share, settings, live, parts, shares)
        if shares == 1:
            job(0)
        else:
            with ProcessPoolExecutor(shares, mp_context=get_context("spawn")) as pool:
                list(pool.map(job, range(shares)))
        write_view(connection, SESSION_STATE, [f"SELECT * FROM read_parquet('{parts}/*.parquet')"], folder)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _write_share(settings: Settings, live: Sequence[Path], parts: Path, shares: int, share: int) -> None:
    schema = pa.schema([field for field in SESSION_STATE.arrow if field.name != "created_timestamp"])
    with pq.ParquetWriter(parts / f"{share}.parquet", schema, compression="zstd") as writer:
        columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        for session_id, state in _replay(settings, live, shares, share):
            columns["session_id"].append(session_id)
            columns["event_timestamp"].append(state.row_us)
            for name, value in state.features().items():
                columns[name].append(value)
            if len(columns["session_id"]) >= ROWS_PER_GROUP:
                writer.write_table(_table(columns, schema))
                columns = {name: [] for name in schema.names}
        writer.write_table(_table(columns, schema))


def _table(columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema)


def _replay(settings: Settings, live: Sequence[Path], shares: int, share: int) -> Iterator[tuple[str, Replay]]:
    """(session_id, state) after each folded event of this share of the sessions."""
    connection = connect(settings)
    connection.execute("SET threads = 1")
    open_log(connection, settings, live, changes=())
    batches = connection.sql(
        f"""
        SELECT session_id, epoch_us(event_ts), event_id, epoch_us(received_ts), action, item_id, category_id,
            quantity, (price * 100)::BIGINT
        FROM events WHERE hash(session_id) % {shares} = {share}
        ORDER BY session_id, received_ts, event_ts, event_id
        """
    ).to_arrow_reader(100_000)
    current, state = None, Replay()
    for batch in batches:
        for session_id, *event in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if session_id != current:
                current, state = session_id, Replay()
            if state.fold(SessionEvent(*event)):
                yield session_id, state
