"""The parquet files that a gate checks, and a comparison of their columns with the declared ones."""

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
    """One parquet file with the columns it must have. ``key`` identifies a row.

    ``more``: files of the same form whose rows belong to the table, too. ``also``: SQL of further rows of it, which may
    lack columns.
    """

    name: str
    path: Path
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    more: tuple[Path, ...] = ()
    also: str = ""


@dataclass(frozen=True)
class SchemaFacts:
    """Facts from the footer of a file. ``values``: declared column -> its Arrow type.

    ``values`` also has the state of the file, the order of its columns and its undeclared columns, under the names in
    parentheses.
    """

    values: dict[str, str]

    @property
    def readable(self) -> bool:
        return self.values[FILE] == READABLE


def read_facts(file: TableFile) -> SchemaFacts:
    """Read the footer. A file that is missing or is not parquet is a fact, not an error."""
    if not file.path.is_file():
        return SchemaFacts({FILE: f"{ABSENT}: {file.path}"})
    try:
        schema = pq.read_schema(file.path)
    except (OSError, pa.ArrowException) as error:
        return SchemaFacts({FILE: f"unreadable: {file.path}: {str(error).splitlines()[0]}"})
    types = {c.name: _type(schema, c) for c in file.columns}
    return SchemaFacts({FILE: READABLE, **types, ORDER: _order(schema, file), EXTRA: _extra(schema, file)})


def _type(schema: pa.Schema, column: Column) -> str:
    """The type as text. For an equal type the declared text, because Arrow prints the name of a list's items."""
    index = schema.get_field_index(column.name)
    if index < 0:
        return ABSENT
    found = schema.field(index).type
    if pa.types.is_dictionary(found):  # how a column of many repetitions is stored, not what it holds
        found = found.value_type
    return str(column.dtype.arrow if found.equals(column.dtype.arrow) else found)


def _order(schema: pa.Schema, file: TableFile) -> str:
    declared = [column.name for column in file.columns if column.name in schema.names]
    found = [name for name in schema.names if name in set(declared)]
    moved = [name for name, position in zip(found, declared, strict=False) if name != position]
    return f"differs from {moved[0]!r} on" if moved else AS_DECLARED


def _extra(schema: pa.Schema, file: TableFile) -> str:
    extra = sorted(set(schema.names) - {column.name for column in file.columns})
    return ", ".join(extra) or NONE
