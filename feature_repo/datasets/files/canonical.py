"""A log in the canonical form whose files are not all parquet: the mapping that names each column as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feature_repo.datasets.checks.columns import column_problems
from feature_repo.datasets.errors import BadSource, DatasetError, raise_all
from feature_repo.datasets.files.mapping import FileFormat, FileMapping, SourceMapping, Values
from feature_repo.datasets.files.reading.source_files import KINDS, open_files
from feature_repo.datasets.files.staging import Staging
from feature_repo.datasets.own_log import defaulted
from feature_repo.schema import Table


def is_canonical(folder: Path, tables: Sequence[Table]) -> bool:
    """Whether every table has a file, and at least one of them is not parquet."""
    found = [_file_of(folder, table) for table in tables]
    return None not in found and any(path is not None and path.suffix != ".parquet" for path in found)


def canonical_mapping(staging: Staging, folder: Path, tables: Sequence[Table]) -> SourceMapping:
    """Raises DatasetError for columns that are missing or not declared, in all files at once."""
    faults: list[DatasetError] = []
    files = []
    for table in tables:
        path = _file_of(folder, table)
        if path is None:
            faults.append(BadSource(folder / f"{table.name}.parquet", "the file is missing"))
            continue
        relation = open_files(staging.connection, folder, path.name, FileFormat(), staging.folder)
        types = {name: column.type for name, column in relation.columns.items()}
        faults += column_problems(path, table, types, defaulted(table))
        columns = {name: Values(source=(name,)) for name in types}
        files.append(FileMapping(table=table.name, path=path.name, columns=columns))
    raise_all(faults)
    return SourceMapping(files=tuple(files))


def _file_of(folder: Path, table: Table) -> Path | None:
    """``items.parquet`` comes before ``items.csv``, and so on."""
    names = (f"{table.name}{suffix}{packed}" for suffix in KINDS for packed in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)
