"""Tables in DuckDB: the whole files as a view that is read only where it must be, and a sample of their rows.

The sample consists of blocks of rows that follow each other, drawn by a seed and spread over the whole file: lists and
sessions that stand together stay together. Its cells are texts, as they stand in the file; whole numbers of a floating
type have no ``.0``, and the words for nothing (``nan``, ``NULL``, ``\\N``) are null.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import duckdb

from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.sql_text import quoted
from feature_repo.datasets.files.reading.texts import is_null
from feature_repo.init.thresholds import BLOCK_ROWS, SAMPLE_ROWS

SEED = 20240101
FLOATING = ("FLOAT", "DOUBLE")


@dataclass(frozen=True)
class SourceTable:
    """Files of one kind. ``number`` names its tables: ``sample_0``, ``whole_0``. ``types``: column -> DuckDB's type.

    ``nested``: columns whose cells have fields of their own; they are not read.
    """

    number: int
    pattern: str
    names: tuple[str, ...]
    format: FileFormat
    types: dict[str, str] = field(hash=False)
    rows: int
    nested: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        return f"sample_{self.number}"

    @property
    def whole(self) -> str:
        return f"whole_{self.number}"

    @property
    def is_sampled(self) -> bool:
        return self.rows > SAMPLE_ROWS


def text_of(name: str, dtype: str) -> str:
    """SQL of a cell as text; null for the words for nothing."""
    column = quoted(name)
    if dtype.endswith("[]"):
        return f"CASE WHEN len({column}) = 0 THEN NULL ELSE array_to_string({column}, '|') END"
    if dtype.startswith(FLOATING):
        whole = f"CAST(CAST({column} AS BIGINT) AS VARCHAR)"
        is_whole = f"abs({column}) < 1e15 AND {column} = trunc({column})"
        return f"CASE WHEN isnan({column}) THEN NULL WHEN {is_whole} THEN {whole} ELSE CAST({column} AS VARCHAR) END"
    return f"CASE WHEN NOT {is_null(f'{column}::VARCHAR')} THEN trim({column}::VARCHAR) END"


def make_sample(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> None:
    """Create the table ``table.sample``."""
    cells = ", ".join(f"{text_of(name, dtype)} AS {quoted(name)}" for name, dtype in table.types.items())
    blocks = -(-table.rows // BLOCK_ROWS)
    chosen = range(blocks)
    if table.is_sampled:
        # The first and the last block, and one from each of as many equal parts as there is room for.
        parts, draw = SAMPLE_ROWS // BLOCK_ROWS - 2, random.Random(SEED)
        drawn = {int((part + draw.random()) * blocks / parts) for part in range(parts)}
        chosen = sorted({0, blocks - 1} | drawn)  # type: ignore[assignment]
    some = "true" if not table.is_sampled else f"row_ // {BLOCK_ROWS} IN ({', '.join(map(str, chosen))})"
    connection.execute(
        f"""
        CREATE TEMP TABLE {table.sample} AS SELECT row_, {cells}
        FROM (SELECT *, row_number() OVER () - 1 AS row_ FROM {table.whole}) WHERE {some} ORDER BY row_
        """
    )
