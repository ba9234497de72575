"""Runs a case through an offline store and compares the result with the oracle's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.data_format import ParquetFormat
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from feast.infra.offline_stores.offline_store import OfflineStore

from feature_repo.offline.store import AsofOfflineStore
from tests.feature_repo.offline.cases import KEY_KINDS, Case, Frame, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.source_files import write
from tests.feature_repo.offline.value_types import VALUE_TYPES, canonical, storage_free

NO_ON_DEMAND_VIEWS = SimpleNamespace(list_on_demand_feature_views=lambda *_, **__: [])
ENTITIES = {
    name: Entity(name=f"{name}_entity", join_keys=[name], value_type=ValueType[kind.upper()])
    for name, kind in KEY_KINDS.items()
}


@contextmanager
def sources(case: Case) -> Iterator[dict[str, FeatureView]]:
    """The views of the case, with their files. The files are deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="join") as folder:
        yield {
            view.name: feature_view(view, write(view, Path(folder) / view.name))
            for view in {use.view.name: use.view for use in case.uses}.values()
        }


def feature_view(view: View, path: str) -> FeatureView:
    renamed = view.storage.renamed
    return FeatureView(
        name=view.name,
        entities=[ENTITIES[key] for key in view.keys],
        ttl=timedelta(0) if view.ttl is None else view.ttl,
        schema=[
            *(Field(name=key, dtype=VALUE_TYPES[KEY_KINDS[key]].feast) for key in view.keys),
            *(Field(name=name, dtype=VALUE_TYPES[kind].feast) for name, kind in view.kinds.items()),
        ],
        source=FileSource(
            name=f"{view.name}_files",
            path=path,
            file_format=ParquetFormat(),
            timestamp_field=EVENT,
            created_timestamp_column=CREATED if view.has_created else "",
            field_mapping={file_name: name for name, file_name in renamed.items()},
        ),
    )


def entity_frame(frame: Frame, folder: Path | None = None) -> pd.DataFrame | pa.Table | str:
    """The frame in its form. The SQL form reads a file in ``folder``."""
    table = _entity_table(frame)
    if frame.form == "pandas":
        return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}.get)
    if frame.form == "sql":
        assert folder is not None
        pq.write_table(table, folder / "entity_rows.parquet")
        return f"SELECT * FROM read_parquet('{folder}/entity_rows.parquet')"
    return table


def _entity_table(frame: Frame) -> pa.Table:
    columns = {}
    for name, kind in frame.kinds.items():
        column = pa.array([row[name] for row in frame.rows], VALUE_TYPES[kind].arrow)
        columns[name] = column.dictionary_encode() if frame.form == "dictionary" and kind == "string" else column
    timestamps = (
        [timestamp.replace(tzinfo=None) for timestamp in frame.timestamps] if frame.zone is None else frame.timestamps
    )
    columns[frame.timestamp] = pa.array(timestamps, pa.timestamp(frame.unit, frame.zone))
    return pa.table(columns)


def used(case: Case, views: dict[str, FeatureView]) -> list[FeatureView]:
    """The views with the names and join keys that the case uses."""
    found = []
    for use in case.uses:
        view = views[use.view.name].with_name(use.alias) if use.alias else views[use.view.name]
        found.append(view.with_join_key_map(dict(use.key_map)) if use.key_map else view)
    return found


def retrieved(case: Case, views: dict[str, FeatureView], store: type[OfflineStore] = AsofOfflineStore) -> pa.Table:
    """The result of the store, called directly without a registry."""
    with tempfile.TemporaryDirectory(prefix="entity") as folder:
        job = store.get_historical_features(
            config=config(case, store),
            feature_views=used(case, views),
            feature_refs=[reference for use in case.uses for reference in use.references],
            entity_df=entity_frame(case.frame, Path(folder)),
            registry=NO_ON_DEMAND_VIEWS,
            project="p",
            full_feature_names=case.full_names,
            **({"filter_by_created_timestamp": True} if case.known_when_scored else {}),
        )
        return job.to_arrow()


def config(case: Case, store: type[OfflineStore], folder: str = "/nowhere") -> RepoConfig:
    """``folder`` is for the registry, if the test uses one."""
    ours = {"known_at": case.known_at, "rows_per_chunk": case.rows_per_chunk, "threads": 1, "memory_limit": "1GB"}
    offline = (
        {"type": "duckdb"} if store is DuckDBOfflineStore else {"type": f"{store.__module__}.{store.__name__}", **ours}
    )
    return RepoConfig(
        project="p",
        provider="local",
        registry=f"{folder}/registry.db",
        offline_store=offline,
        online_store={"type": "sqlite", "path": f"{folder}/online.db"},
        entity_key_serialization_version=3,
        repo_path=Path("/"),
    )


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: canonical(value) for name, value in row.items()} for row in table.to_pylist()]


def oracle_rows(case: Case) -> list[dict[str, Any]]:
    return [{name: canonical(value) for name, value in row.items()} for row in case.expected()]


def check(case: Case) -> None:
    """Compare the plugin's rows, their order and their types with the oracle's. Raises AssertionError."""
    with sources(case) as views:
        found = retrieved(case, views)
    differing = [pair for pair in zip_longest(rows(found), oracle_rows(case)) if pair[0] != pair[1]]
    assert not differing, f"rows are not the oracle's: {differing[0]}"
    assert types(found) == expected_types(case), "types are not those of the frame and the files"


def types(table: pa.Table) -> dict[str, pa.DataType]:
    return {field.name: storage_free(field.type) for field in table.schema}


def expected_types(case: Case) -> dict[str, pa.DataType]:
    """Entity columns have the frame's types, the entity timestamp is in UTC, features have the types in the files."""
    given = entity_frame(case.frame) if case.frame.form != "sql" else _entity_table(case.frame)
    schema = pa.Schema.from_pandas(given) if isinstance(given, pd.DataFrame) else given.schema
    kinds = {field.name: storage_free(field.type) for field in schema}
    kinds[case.frame.timestamp] = pa.timestamp(case.frame.unit, "UTC")
    return kinds | {name: storage_free(VALUE_TYPES[kind].arrow) for name, kind in case.feature_kinds.items()}
