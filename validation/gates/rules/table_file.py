"""The parquet files that a gate judges, and whether their columns are the declared ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.schema import Column

FILE, ORDER, EXTRA = "(file)", "(order)", "(extra columns)"
READABLE, AS_DECLARED, ABSENT, NONE = "readable", "as declared", "missing", "none"


@dataclass(frozen=True)
class TableFile:
    """One parquet file with the columns it must have. ``key`` identifies a row."""

    name: str
    path: Path
    key: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class SchemaFacts:
    """What a file's footer says: each declared column's Arrow type, and the file's state.

    The names in parentheses stand beside the columns: state of the file, order, columns nobody declared.
    """

    values: dict[str, str]

    @property
    def readable(self) -> bool:
        return self.values[FILE] == READABLE


def read_facts(file: TableFile) -> SchemaFacts:
    """Reads the footer only; a file that is missing or no parquet is a fact, not an error."""
    if not file.path.is_file():
        return SchemaFacts({FILE: f"{ABSENT}: {file.path}"})
    try:
        schema = pq.read_schema(file.path)
    except (OSError, pa.ArrowException) as error:
        return SchemaFacts({FILE: f"unreadable: {file.path}: {str(error).splitlines()[0]}"})
    types = {c.name: _type(schema, c) for c in file.columns}
    return SchemaFacts({FILE: READABLE, **types, ORDER: _order(schema, file), EXTRA: _extra(schema, file)})


def _type(schema: pa.Schema, column: Column) -> str:
    """The declared type's own text where they are equal: Arrow prints a list's item name, which is no difference."""
    index = schema.get_field_index(column.name)
    if index < 0:
        return ABSENT
    found = schema.field(index).type
    return str(column.dtype.arrow if found.equals(column.dtype.arrow) else found)


def _order(schema: pa.Schema, file: TableFile) -> str:
    declared = [column.name for column in file.columns if column.name in schema.names]
    found = [name for name in schema.names if name in set(declared)]
    moved = [name for name, position in zip(found, declared, strict=False) if name != position]
    return f"differs from {moved[0]!r} on" if moved else AS_DECLARED


def _extra(schema: pa.Schema, file: TableFile) -> str:
    extra = sorted(set(schema.names) - {column.name for column in file.columns})
    return ", ".join(extra) or NONE
