"""The batch engine for ``feast materialize`` and ``materialize-incremental``: it writes Arrow columns to Redis.

It reads the newest row per key from the offline store, encodes record batches while Redis writes earlier ones, and
records each run. Feast's local engine does a view that is not supported, with a warning; its rows still go through our
store's writer. An interrupted run can be run again, because newer rows always win.

In Feast, ``materialize-incremental`` starts where the last run's range ended, by event time. So it misses rows that
arrive late. Here it starts earlier, by default by the view's ttl. Rewriting a row is harmless, and a row older than the
ttl counts as missing. ``late_seconds`` in the engine's configuration shortens this for large views, if the maximum
delay of rows is known.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureView
from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.backends.pandas_backend import PandasBackend
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.feature_builder import LocalFeatureBuilder
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel
from pydantic import Field, StrictStr
from tqdm import tqdm

from feature_repo.online.bulk_support import unsupported
from feature_repo.online.future import latest, service_clock
from feature_repo.online.materialization_log import MaterializationLog
from feature_repo.online.rows import Rows, layout_of, rows_of_batch
from feature_repo.online.store import ServedRedisOnlineStore
from feature_repo.schema import TIMESTAMP
from infra.clock import Clock
from infra.settings import Settings

CHUNK_ROWS = 8_192
CHUNK_BYTES = 16 << 20  # of Arrow data; a chunk of long rows has fewer rows
PIECES_PER_SECOND = 50
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


class BulkMaterializationEngineConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """The options of ``batch_engine``. Raises pydantic's ValidationError for any other option."""

    type: StrictStr = "feature_repo.online.engine.BulkMaterializationEngine"
    backend: str | None = None
    """The backend of Feast's local engine, for views that are not supported here."""
    late_seconds: int | None = Field(None, ge=0)
    """How far before its watermark materialize-incremental starts; by default the view's ttl."""
    rows_per_second: int | None = Field(None, ge=0)
    """The max rows written per second, in small pieces, so that serving is not slowed down; 0: no limit. The default is
    that of the settings. Feast's local engine is not limited."""


class BulkMaterializationEngine(LocalComputeEngine):  # type: ignore[misc]
    """``batch_engine`` of feature_store.yaml. ``clock`` gives the times of runs; by default the settings' clock."""

    clock: Clock | None = None

    def __init__(self, **arguments: Any) -> None:
        parts = {name: arguments.pop(name) for name in ("repo_config", "offline_store", "online_store")}
        self._config = BulkMaterializationEngineConfig(**arguments)
        super().__init__(backend=self._config.backend, **parts)

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any
    ) -> LocalMaterializationJob:
        try:
            return self._materialize_and_record(registry, task, **kwargs)
        except Exception as error:  # Feast expects that an engine returns its errors
            return _job(task, MaterializationJobStatus.ERROR, error)

    def _materialize_and_record(
        self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any
    ) -> LocalMaterializationJob:
        obstacle = unsupported(task, self.online_store)
        if obstacle:
            log.warning("feature view %s is materialized by Feast's slow engine: %s", task.feature_view.name, obstacle)
        if not isinstance(self.online_store, ServedRedisOnlineStore):
            return super()._materialize_one(registry, task, **kwargs)
        clock = self.clock or service_clock()
        run_log = MaterializationLog(self.online_store.client(self.repo_config), task.project, clock)
        if obstacle:
            run = run_log.start(task.feature_view.name, task.start_time, task.end_time)
            job = super()._materialize_one(registry, task, **kwargs)
            if job.status() is MaterializationJobStatus.SUCCEEDED:
                run_log.finish(run, rows=None, written=None)
            return job
        first = read_from(task, self._config.late_seconds)
        task = without_future(task, latest(clock))
        run = run_log.start(task.feature_view.name, first, task.end_time)
        run_log.finish(run, *self._write(registry, task, first))
        return _job(task, MaterializationJobStatus.SUCCEEDED)

    def _write(
        self, registry: BaseRegistry, task: MaterializationTask, first: datetime
    ) -> tuple[int, int, datetime | None]:
        """Returns the rows read, the rows written, and the newest event timestamp that was read."""
        view: FeatureView = task.feature_view
        layout = layout_of(view, task.project, self.online_store.stored_name(view, self.repo_config))
        batches = self._batches(registry, task, first)
        limit = self._config.rows_per_second
        if limit is None:
            limit = Settings().materialize_rows_per_s
        pieces = paced(batches, limit) if limit else chunks_of(batches)
        timestamps = _Newest(layout.event_column)
        chunks = (timestamps.noted(chunk, rows_of_batch(chunk, layout)) for chunk in pieces)
        rows = written = 0
        with tqdm(desc=view.name, unit=" rows", file=sys.stderr) as progress:
            for chunk_rows, chunk_written in self.online_store.writer(self.repo_config).write_all(chunks):
                rows, written = rows + chunk_rows, written + chunk_written
                progress.update(chunk_rows)
        return rows, written, timestamps.newest

    def _batches(self, registry: BaseRegistry, task: MaterializationTask, first: datetime) -> Iterator[pa.RecordBatch]:
        """The newest row per key, with the view's column names."""
        view: FeatureView = task.feature_view
        columns = LocalFeatureBuilder(registry, task, PandasBackend()).get_column_info(view)
        job = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=view.batch_source,
            join_key_columns=columns.join_keys,
            feature_name_columns=columns.feature_cols,
            timestamp_field=columns.ts_col,
            created_timestamp_column=columns.created_ts_col,
            start_date=first,
            end_date=task.end_time,
        )
        renamed = view.batch_source.field_mapping or {}
        streams = hasattr(job, "to_arrow_reader")
        for batch in job.to_arrow_reader(CHUNK_ROWS) if streams else job.to_arrow().to_batches():
            yield batch.rename_columns([renamed.get(name, name) for name in batch.schema.names])


class _Newest:
    """The newest event timestamp of all noted rows."""

    def __init__(self, event_column: str) -> None:
        self._event_column = event_column
        self.newest: datetime | None = None

    def noted(self, chunk: pa.RecordBatch, rows: Rows) -> Rows:
        """Note the timestamps of ``chunk`` and return ``rows``, the encoded form of the same chunk."""
        found = pc.max(chunk.column(self._event_column).cast(TIMESTAMP, safe=False)).as_py()
        if found is not None and (self.newest is None or found > self.newest):
            self.newest = found
        return rows


def paced(batches: Iterator[pa.RecordBatch], rows_per_second: int) -> Iterator[pa.RecordBatch]:
    """The same rows in small pieces, at most ``rows_per_second``. A pause is not followed by a faster rate."""
    due = time.monotonic()
    for piece in chunks_of(batches, max(1, rows_per_second // PIECES_PER_SECOND)):
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1 / PIECES_PER_SECOND) + piece.num_rows / rows_per_second
        yield piece


def chunks_of(batches: Iterator[pa.RecordBatch], max_rows: int = CHUNK_ROWS) -> Iterator[pa.RecordBatch]:
    """The same rows in pieces of at most ``max_rows`` and CHUNK_ROWS rows and about CHUNK_BYTES bytes."""
    for batch in batches:
        fitting = batch.num_rows * CHUNK_BYTES // max(1, batch.nbytes)
        size = max(1, min(CHUNK_ROWS, max_rows, fitting))
        for start in range(0, batch.num_rows, size):
            yield batch.slice(start, size)


def read_from(task: MaterializationTask, late_seconds: int | None) -> datetime:
    """Where reading starts: at the task's start, or earlier for an incremental run.

    Feast does not tell the engine which command runs. An incremental run starts at the view's watermark. The first one
    starts at the wall clock's now - ttl; for an old log that may be after the task's end, which never happens with
    `materialize`.
    """
    start, end, view = _aware(task.start_time), _aware(task.end_time), task.feature_view
    watermark = view.most_recent_end_time
    is_incremental = start > end or (watermark is not None and _aware(watermark) == start)
    if not is_incremental:
        return start
    if late_seconds is not None:
        return min(start, end) - timedelta(seconds=late_seconds)
    return min(start, end - view.ttl) if view.ttl else BEGINNING


def without_future(task: MaterializationTask, limit: datetime) -> MaterializationTask:
    """The task, ending at ``limit`` at the latest: no later row may be in Redis yet."""
    if _aware(task.end_time) <= limit:
        return task
    log.warning("feature view %s is materialized up to %s: later rows are in the future", task.feature_view.name, limit)
    return replace(task, end_time=limit)


def _aware(timestamp: datetime) -> datetime:
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def _job(
    task: MaterializationTask, status: MaterializationJobStatus, error: Exception | None = None
) -> LocalMaterializationJob:
    return LocalMaterializationJob(f"{task.feature_view.name}-{task.start_time}-{task.end_time}", status, error)
