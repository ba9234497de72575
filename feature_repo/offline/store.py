"""The offline store plugin for Feast: the point-in-time join as DuckDB's ASOF JOIN over parquet.

``offline_store: {type: feature_repo.offline.store.AsofOfflineStore}`` in feature_store.yaml selects it. It replaces
three methods of Feast's DuckDB store. A retrieval that it does not support is done by Feast's store, with a warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.data_source import DataSource
from feast.feature_view import DUMMY_ENTITY_ID
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.utils import _parse_feature_ref
from pydantic import Field, StrictStr

from feature_repo.offline.entity_frame import ROWS_PER_CHUNK, EntityFrame, EntityRows, check_keys
from feature_repo.offline.errors import BadEntityFrame
from feature_repo.offline.join_sql import EPOCH, Source, newest_rows, quoted, within_range
from feature_repo.offline.parquet_source import is_parquet, open_scan
from feature_repo.offline.point_in_time import ViewJoin, join
from feature_repo.offline.retrieval_job import StreamedJob
from infra.duckdb_connection import open_database
from infra.settings import Settings


class NotByAsofJoin(UserWarning):
    """Feast's own DuckDB store did a retrieval. The message says why."""


class AsofOfflineStoreConfig(DuckDBOfflineStoreConfig):  # type: ignore[misc]
    """``known_at``: leave out feature rows created later, as if the retrieval had been made at that time."""

    type: StrictStr = "feature_repo.offline.store.AsofOfflineStore"
    known_at: datetime | None = None
    memory_limit: StrictStr = Field(default_factory=lambda: Settings().duckdb_memory_limit)
    threads: int = Field(default_factory=lambda: Settings().threads)
    spill_folder: Path = Field(default_factory=lambda: Settings().spill_dir)
    rows_per_chunk: int = ROWS_PER_CHUNK

    def connect(self) -> duckdb.DuckDBPyConnection:
        return open_database(self.memory_limit, self.threads, self.spill_folder)

    @property
    def known_at_us(self) -> int | None:
        """``known_at`` in µs since the epoch. Without a zone it is UTC, as in the files."""
        if self.known_at is None:
            return None
        return microseconds(self.known_at if self.known_at.tzinfo else self.known_at.replace(tzinfo=UTC))


class AsofOfflineStore(DuckDBOfflineStore):  # type: ignore[misc]
    """Point-in-time retrieval by ASOF JOIN. Feast's DuckDB store does writes, logs and other kinds of sources."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: EntityRows,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **other: Any,
    ) -> RetrievalJob:
        """Raises BadSource and BadEntityFrame."""
        if entity_df is None:
            raise BadEntityFrame(f"entity rows are required; {' and '.join(other) or 'a time range'} is not enough")
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        reason = _unsupported(feature_views, on_demand)
        if reason:
            warnings.warn(f"{reason}: joined by Feast's own DuckDB store", NotByAsofJoin, stacklevel=2)
            return DuckDBOfflineStore.get_historical_features(
                config,
                feature_views,
                feature_refs,
                entity_df,
                registry,
                project,
                full_feature_names,
                filter_by_created_timestamp,
            )
        store = cast(AsofOfflineStoreConfig, config.offline_store)
        connection = store.connect()
        frame = EntityFrame(entity_df, connection)
        joins = [
            _view_join(connection, view, feature_refs, frame, config, full_feature_names) for view in feature_views
        ]
        _refuse_collisions(frame, joins)

        def rows(rows_per_batch: int) -> pa.RecordBatchReader:
            tables = join(
                connection,
                frame,
                joins,
                known_when_scored=filter_by_created_timestamp,
                rows_per_chunk=store.rows_per_chunk,
            )
            return _reader(tables, rows_per_batch)

        def metadata() -> RetrievalMetadata:
            first, last = frame.range()
            keys = [name for name in frame.names if name != frame.timestamp]
            return RetrievalMetadata(feature_refs, keys, first, last)

        return StreamedJob(
            rows,
            repo_path=config.repo_path,
            full_feature_names=full_feature_names,
            on_demand=on_demand,
            metadata=metadata,
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """For each key, the newest row by (event time, created time) from ``start_date`` to ``end_date``, inclusive."""
        if not is_parquet(data_source):
            return DuckDBOfflineStore.pull_latest_from_table_or_query(
                config,
                data_source,
                join_key_columns,
                feature_name_columns,
                timestamp_field,
                created_timestamp_column,
                start_date,
                end_date,
            )
        columns = _columns(join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column)
        store = cast(AsofOfflineStoreConfig, config.offline_store)
        connection = store.connect()
        scan = open_scan(connection, data_source, config.repo_path, data_source.name)
        scan.require(columns, data_source.name)
        keys = [key for key in join_key_columns if key != DUMMY_ENTITY_ID]
        source = scan.source(keys, timestamp_field, created_timestamp_column or None, store.known_at_us)
        sql = newest_rows(in_range(source, start_date, end_date), columns)
        return StreamedJob(lambda rows: connection.sql(sql).to_arrow_reader(rows), repo_path=config.repo_path)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """All rows from ``start_date`` to ``end_date``, inclusive."""
        if not is_parquet(data_source):
            return DuckDBOfflineStore.pull_all_from_table_or_query(
                config,
                data_source,
                join_key_columns,
                feature_name_columns,
                timestamp_field,
                created_timestamp_column,
                start_date,
                end_date,
            )
        columns = _columns(join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column)
        connection = cast(AsofOfflineStoreConfig, config.offline_store).connect()
        scan = open_scan(connection, data_source, config.repo_path, data_source.name)
        scan.require(columns, data_source.name)
        source = in_range(scan.source([], timestamp_field, None, None), start_date, end_date)
        wanted = ", ".join(quoted(name) for name in columns)
        sql = f"SELECT {wanted} FROM {scan.sql} WHERE {within_range(source)}"
        return StreamedJob(lambda rows: connection.sql(sql).to_arrow_reader(rows), repo_path=config.repo_path)


def in_range(source: Source, first: datetime | None, last: datetime | None) -> Source:
    return replace(
        source,
        first_us=microseconds(first) if first else None,
        last_us=microseconds(last) if last else None,
    )


def microseconds(timestamp: datetime) -> int:
    """Microseconds since the epoch. Feast passes local times without a zone; ``astimezone`` reads them as such."""
    return (timestamp.astimezone() - EPOCH) // timedelta(microseconds=1)


def _columns(keys: list[str], features: list[str], timestamp: str, created: str | None) -> list[str]:
    return [key for key in keys if key != DUMMY_ENTITY_ID] + features + [timestamp] + ([created] if created else [])


def _unsupported(feature_views: list[FeatureView], on_demand: list[OnDemandFeatureView]) -> str | None:
    """Why this retrieval cannot be an ASOF JOIN. None if it can."""
    for view in feature_views:
        if view.batch_source is not None and not is_parquet(view.batch_source):
            return f"{view.name} is not stored as parquet files"
    for view in on_demand:
        if view.mode == "substrait":
            return f"{view.name} is a substrait plan"
    return None


def _view_join(
    connection: duckdb.DuckDBPyConnection,
    view: FeatureView,
    feature_refs: list[str],
    frame: EntityFrame,
    config: RepoConfig,
    full_feature_names: bool,
) -> ViewJoin:
    source = view.batch_source
    if source is None:
        raise ValueError(f"feature view {view.name} has no batch source")
    wanted_by = f"feature view {view.name}"
    scan = open_scan(connection, cast(FileSource, source), config.repo_path, wanted_by)
    file_name = {new: old for old, new in source.field_mapping.items() if old in scan.columns}
    keys = {
        view.projection.join_key_map.get(column.name, column.name): file_name.get(column.name, column.name)
        for column in view.entity_columns
        if column.name != DUMMY_ENTITY_ID
    }
    features = [
        name
        for owner, version, name in map(_parse_feature_ref, feature_refs)
        if view.projection.name_to_use() == (owner if version is None else f"{owner}@v{version}")
    ]
    prefix = f"{view.projection.name_alias or view.name}__" if full_feature_names else ""
    columns = {f"{prefix}{name}": file_name.get(name, name) for name in features}
    timestamp = file_name.get(source.timestamp_field, source.timestamp_field)
    created = file_name.get(source.created_timestamp_column, source.created_timestamp_column) or None
    scan.require([*keys.values(), *columns.values(), timestamp, *([created] if created else [])], wanted_by)
    check_keys(frame, {name: scan.columns[column] for name, column in keys.items()}, wanted_by)
    store = cast(AsofOfflineStoreConfig, config.offline_store)
    return ViewJoin(
        source=scan.source(list(keys.values()), timestamp, created, store.known_at_us),
        keys=tuple(keys),
        columns=columns,
        ttl_us=round(view.ttl.total_seconds() * 1_000_000) if view.ttl else None,
    )


def _refuse_collisions(frame: EntityFrame, joins: list[ViewJoin]) -> None:
    taken = {name for view_join in joins for name in view_join.columns} & set(frame.names)
    if taken:
        raise BadEntityFrame(
            f"the entity frame already has {', '.join(sorted(taken))}: rename it, or set full_feature_names"
        )


def _reader(tables: Iterator[pa.Table], rows_per_batch: int) -> pa.RecordBatchReader:
    first = next(tables)  # there is at least one table

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first.to_batches(rows_per_batch)
        for table in tables:
            yield from table.cast(first.schema).to_batches(rows_per_batch)

    return pa.RecordBatchReader.from_batches(first.schema, batches())
