"""Keys and slates: what is wrong with rows that belong together."""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource
from feature_repo.schema import Declaration, Table


def repeated_key(connection: duckdb.DuckDBPyConnection, table: Table) -> list[BadSource]:
    """The first row of ``table.name`` whose key stood there before."""
    key = ", ".join(f'"{name}"' for name in table.key)
    found = connection.execute(
        f"""
        SELECT {FILE}, {ROW}, {key} FROM {table.name} SEMI JOIN (
            SELECT {key} FROM {table.name} GROUP BY {key} HAVING count(*) > 1
        ) USING ({key})
        QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {FILE}, {ROW}) = 2 ORDER BY {FILE}, {ROW} LIMIT 1
        """
    ).fetchall()
    if not found:
        return []
    file, row, *values = found[0]
    return [BadSource(Path(file), f"the key {', '.join(map(str, values))} occurs twice", ", ".join(table.key), row)]


def slate_problems(connection: duckdb.DuckDBPyConnection, declaration: Declaration) -> list[BadSource]:
    """A slate has one user, session, time and context, no two candidates share a position, and the total is enough."""
    shared = ("user_id", "session_id", "shown_ts", "relevant_total", *(c.name for c in declaration.context))
    checks = [
        (name, f'"{name}" IS DISTINCT FROM first("{name}") OVER slate', "differs within its slate") for name in shared
    ]
    checks.append(
        (
            "input_position",
            f"row_number() OVER (PARTITION BY slate_id, input_position ORDER BY {FILE}, {ROW}) > 1",
            "occurs twice in its slate",
        )
    )
    checks.append(
        (
            "relevant_total",
            "relevant_total < count(*) FILTER (label > 0) OVER (PARTITION BY slate_id)",
            "is below the slate's positives",
        )
    )
    return [problem for check in checks for problem in _first(connection, *check)]


def _first(connection: duckdb.DuckDBPyConnection, name: str, bad: str, problem: str) -> list[BadSource]:
    found = connection.execute(
        f"""
        SELECT {FILE}, {ROW}, "{name}"::VARCHAR, slate_id FROM (
            SELECT *, {bad} AS bad FROM impressions WINDOW slate AS (PARTITION BY slate_id ORDER BY {FILE}, {ROW})
        ) WHERE bad ORDER BY {FILE}, {ROW} LIMIT 1
        """
    ).fetchall()
    return [
        BadSource(Path(file), f"slate {slate!r}: {value!r} {problem}", column=name, row=row)
        for file, row, value, slate in found
    ]
