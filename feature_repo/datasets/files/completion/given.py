"""The rows of a table as all entries of the mapping give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.reading.mapped_file import RELATIVE
from feature_repo.datasets.files.staging import Staging
from feature_repo.datasets.log_writer import duckdb_type
from feature_repo.schema import Table

_RELATIVE_TYPES = dict(zip(RELATIVE, ("VARCHAR", "DOUBLE", "DOUBLE", "DOUBLE"), strict=True))


def gather(staging: Staging, table: Table, mapped: Sequence[int]) -> set[str]:
    """Create the view ``given_TABLE`` with FILE, ROW, RELATIVE and all columns of the table; null where none is mapped.

    ``mapped``: numbers of the views ``mapped_NUMBER``. Returns the columns that at least one of them has.
    """
    types = {column.name: duckdb_type(column.dtype) for column in table.columns}
    if table.name == "events":
        types["quantity"] = "DOUBLE"  # is rounded later, with a note
    wanted = {FILE: "VARCHAR", ROW: "BIGINT"} | types | _RELATIVE_TYPES
    parts = []
    given: set[str] = set()
    for number in mapped:
        found = {row[0] for row in staging.rows(f"DESCRIBE mapped_{number}")}
        given |= found
        columns = ", ".join(
            f'"{name}"::{kind} AS "{name}"' if name in found else f'NULL::{kind} AS "{name}"'
            for name, kind in wanted.items()
        )
        parts.append(f"SELECT {columns} FROM mapped_{number}")
    none = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in wanted.items())
    staging.view(f"given_{table.name}", " UNION ALL ".join(parts) or f"SELECT {none} WHERE false")
    return given & types.keys()


def missing(staging: Staging, relation: str, column: str, what_to_do: str) -> list[BadSource]:
    """The first row without a value that cannot be made."""
    found = staging.rows(
        f'SELECT {FILE}, {ROW}, count(*) OVER () FROM {relation} WHERE "{column}" IS NULL ORDER BY 1, 2 LIMIT 1'
    )
    return [
        BadSource(Path(file), f"null is not allowed ({count:,} rows); {what_to_do}", column=column, row=row)
        for file, row, count in found
    ]
