"""Turns a Feast FileSource of parquet files into a DuckDB scan. Its path is a file, folder or glob, local or a URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import duckdb
import fsspec
from feast.data_format import ParquetFormat
from feast.data_source import DataSource
from feast.infra.offline_stores.file_source import FileSource

from feature_repo.offline.errors import BadSource
from feature_repo.offline.join_sql import FILE, ROW_NUMBER, Source

GLOB = "*?["


def is_parquet(data_source: DataSource | None) -> bool:
    """Whether ParquetScan can read the source. It cannot read Delta, Iceberg and other formats."""
    return isinstance(data_source, FileSource) and (
        data_source.file_format is None or isinstance(data_source.file_format, ParquetFormat)
    )


@dataclass(frozen=True)
class ParquetScan:
    """``location``: path, glob or URL. ``columns``: name -> DuckDB type, including hive partitions."""

    location: str
    columns: dict[str, str]
    sql: str
    single_file: bool

    def source(self, keys: Sequence[str], timestamp: str, created: str | None, known_at_us: int | None) -> Source:
        return Source(self.sql, self.single_file, tuple(keys), timestamp, created, known_at_us)

    def require(self, names: Sequence[str], wanted_by: str) -> None:
        """Raises BadSource for a column that the files do not have."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            raise BadSource(f"{wanted_by}: {self.location} has no column {', '.join(missing)}")


def open_scan(
    connection: duckdb.DuckDBPyConnection, data_source: FileSource, repo_path: Path | None, wanted_by: str
) -> ParquetScan:
    """Open the files. Raises BadSource, naming ``wanted_by`` and the files, if they are missing or unreadable."""
    location = FileSource.get_uri_for_file_path(repo_path, data_source.path.removeprefix("file://"))
    try:
        filesystem = _remote(connection, data_source, location)
        is_folder = Path(location).is_dir() if filesystem is None else filesystem.isdir(location)
        # A folder may hold partitions, and the files of a table may have their columns in different orders.
        path = f"{location.rstrip('/')}/**/*.parquet" if is_folder else location
        single = not is_folder and not any(sign in path for sign in GLOB)
        options = "" if single else ", union_by_name = true, hive_partitioning = true"
        sql = f"read_parquet({_text(path)}{options})"
        described = connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except (duckdb.Error, OSError, ImportError) as error:
        raise BadSource(f"{wanted_by}: cannot read {location}: {error}") from error
    taken = {FILE, ROW_NUMBER} & {row[0] for row in described}
    if taken:
        raise BadSource(f"{wanted_by}: {location} has a column {', '.join(taken)}, a name that DuckDB reserves")
    return ParquetScan(location, {row[0]: row[1] for row in described}, sql, single)


def _remote(connection: duckdb.DuckDBPyConnection, data_source: FileSource, location: str) -> Any:
    """The fsspec filesystem of a URL, registered with DuckDB. None for a local path."""
    scheme = urlparse(location).scheme
    if not scheme:
        return None
    filesystem = fsspec.filesystem(scheme, **(_s3_options(data_source) if scheme in ("s3", "s3a") else {}))
    names = [filesystem.protocol] if isinstance(filesystem.protocol, str) else list(filesystem.protocol)
    if not set(names) & set(connection.list_filesystems()):
        connection.register_filesystem(filesystem)
    return filesystem


def _s3_options(data_source: FileSource) -> dict[str, Any]:
    found = data_source.resolve_credentials() or {}
    options = {
        "key": found.get("AWS_ACCESS_KEY_ID"),
        "secret": found.get("AWS_SECRET_ACCESS_KEY"),
        "token": found.get("AWS_SESSION_TOKEN"),
        "endpoint_url": data_source.s3_endpoint_override or None,
    }
    return {name: value for name, value in options.items() if value}


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
