"""Figures of a table's sample that guesses ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from feature_repo.datasets.files.reading.sql_text import literal, quoted


@dataclass(frozen=True)
class Sampled:
    """Asks the samples, which are tables of ``connection``."""

    connection: duckdb.DuckDBPyConnection

    def row(self, sql: str) -> tuple[float, ...]:
        found = self.connection.execute(sql).fetchone()
        assert found is not None
        return tuple(0.0 if each is None else float(each) for each in found)

    def rows_per(self, table: str, key: Sequence[str]) -> float:
        """Rows per distinct key, among the rows that have one."""
        listed, some = _listed(key)
        rows, groups = self.row(
            f"SELECT sum(n), count(*) FROM (SELECT count(*) n FROM {table} WHERE {some} GROUP BY {listed})"
        )
        return rows / groups if groups else 0.0

    def distinct_share(self, table: str, key: Sequence[str]) -> float:
        """Distinct keys by rows that have one, rows that are wholly equal counted once."""
        listed, some = _listed(key)
        distinct, rows = self.row(
            f"SELECT count(DISTINCT ({listed})), count(*) "
            f"FROM (SELECT DISTINCT * EXCLUDE (row_) FROM {table} WHERE {some})"
        )
        return distinct / rows if rows else 0.0

    def constant_share(self, table: str, key: Sequence[str], column: str) -> float:
        """Share of the keys of several rows with one value of the column only."""
        listed, _ = _listed(key)
        (share,) = self.row(
            f"SELECT avg((d <= 1)::INT) FROM (SELECT count(DISTINCT coalesce({quoted(column)}, chr(0))) d "
            f"FROM {table} GROUP BY {listed} HAVING count(*) > 1)"
        )
        return share

    def several_share(self, table: str, key: Sequence[str], column: str) -> float:
        """Share of the keys that have several values of the column; nulls are none."""
        (owner, _), (_, some) = _listed(key), _listed((*key, column))
        (share,) = self.row(
            f"SELECT avg((d > 1)::INT) FROM (SELECT count(DISTINCT {quoted(column)}) d FROM {table} "
            f"WHERE {some} GROUP BY {owner})"
        )
        return share

    def values_per(self, table: str, key: str, column: str) -> float:
        """Mean number of distinct values of the column per key that stands in several rows."""
        (mean,) = self.row(
            f"SELECT avg(d) FROM (SELECT count(DISTINCT {quoted(column)}) d FROM {table} "
            f"WHERE {quoted(key)} IS NOT NULL GROUP BY {quoted(key)} HAVING count({quoted(column)}) > 1)"
        )
        return mean

    def inside(self, table: str, column: str, other: str, of: str, *, whole: bool) -> float:
        """Share of the distinct values that stand in the column ``of`` of ``other`` (a whole view, or a sample)."""
        theirs = f"regexp_replace(trim({quoted(of)}::VARCHAR), '\\.0+$', '')" if whole else quoted(of)
        ours = f"regexp_replace({quoted(column)}, '\\.0+$', '')"
        (share,) = self.row(
            f"SELECT avg((v IN (SELECT {theirs} FROM {other}))::INT) "
            f"FROM (SELECT DISTINCT {ours} v FROM {table} WHERE {quoted(column)} IS NOT NULL)"
        )
        return share

    def parts_inside(self, table: str, column: str, separator: str, other: str, of: str) -> float:
        """The same for the parts of a cell."""
        (share,) = self.row(
            f"SELECT avg((v IN (SELECT {quoted(of)} FROM {other}))::INT) FROM (SELECT DISTINCT "
            f"trim(unnest(string_split({quoted(column)}, {literal(separator)}))) v FROM {table})"
        )
        return share

    def in_cell_share(self, table: str, value: str, cell: str, separator: str) -> float:
        """Share of the rows with both whose value is a part of the cell."""
        (share,) = self.row(
            f"SELECT avg(list_contains(string_split({quoted(cell)}, {literal(separator)}), {quoted(value)})::INT) "
            f"FROM {table} WHERE {quoted(value)} IS NOT NULL AND {quoted(cell)} IS NOT NULL"
        )
        return share

    def ends_in_flag_share(self, table: str, cell: str, separator: str, sign: str) -> float:
        """Share of the parts of a cell that end in the sign and 0 or 1."""
        (share,) = self.row(
            f"SELECT avg(regexp_full_match(v, {literal('.+' + sign + '[01]')})::INT) FROM ("
            f"SELECT trim(unnest(string_split({quoted(cell)}, {literal(separator)}))) v FROM {table})"
        )
        return share

    def same_length_share(self, table: str, one: str, other: str, marks: tuple[str, str]) -> float:
        """Share of the rows whose two cells have as many parts."""
        lengths = [f"len(string_split({quoted(c)}, {literal(m)}))" for c, m in zip((one, other), marks, strict=True)]
        (share,) = self.row(
            f"SELECT avg(({lengths[0]} = {lengths[1]})::INT) FROM {table} "
            f"WHERE {quoted(one)} IS NOT NULL AND {quoted(other)} IS NOT NULL"
        )
        return share

    def values(self, table: str, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """All combinations of values that occur, most frequent first."""
        listed, some = _listed(columns)
        sql = f"SELECT {listed} FROM {table} WHERE {some} GROUP BY ALL ORDER BY count(*) DESC, {listed}"
        return [tuple(map(str, row)) for row in self.connection.execute(sql).fetchall()]

    def when_filled(self, table: str, cell: str, column: str) -> list[tuple[str, int, int]]:
        """(value of ``column``, rows, rows with a value in ``cell``)."""
        sql = f"SELECT {quoted(column)}, count(*), count({quoted(cell)}) FROM {table} GROUP BY 1 ORDER BY 2 DESC, 1"
        return [(str(value), int(rows), int(filled)) for value, rows, filled in self.connection.execute(sql).fetchall()]

    def known_items(
        self, table: str, by: str, value: str, cell: str, separator: str, of: tuple[str, str] | None
    ) -> dict[str, float]:
        """Value of ``by`` -> share of its rows whose ``value`` is in a cell, or in the column ``of`` (table, name)."""
        parts = f"SELECT unnest(string_split({quoted(cell)}, {literal(separator)})) FROM {table}"
        catalog = f" UNION SELECT {quoted(of[1])} FROM {of[0]}" if of is not None else ""
        found = self.connection.execute(
            f"SELECT {quoted(by)}, avg(coalesce({quoted(value)} IN ({parts}{catalog}), false)::INT) "
            f"FROM {table} GROUP BY 1"
        ).fetchall()
        return {str(text): float(share) for text, share in found}

    def ranking(self, table: str, number: str, positive: str) -> tuple[float, float, int]:
        """(AUC of a column against positives, share of positives where it has a value but 0, rows where it has one).

        ``number``, ``positive``: SQL of a number and of a boolean. The AUC is 0.5 without positives or negatives.
        """
        found = self.connection.execute(
            f"SELECT v, count(*) FILTER (p), count(*) FILTER (NOT p) "
            f"FROM (SELECT {number} v, {positive} p FROM {table}) WHERE p IS NOT NULL GROUP BY v ORDER BY v NULLS FIRST"
        ).fetchall()
        positives, negatives = (np.array([row[n] for row in found], dtype=np.float64) for n in (1, 2))
        told = np.array([row[0] is not None and row[0] != 0 for row in found], dtype=bool)
        with_value = float((positives + negatives)[told].sum())
        precision = float(positives[told].sum()) / with_value if with_value else 0.0
        pairs = positives.sum() * negatives.sum()
        below = np.concatenate([[0.0], np.cumsum(negatives)[:-1]]) if len(found) else negatives
        auc = float((positives * (below + negatives / 2)).sum() / pairs) if pairs else 0.5
        return auc, precision, int(with_value)


def _listed(key: Sequence[str]) -> tuple[str, str]:
    return ", ".join(map(quoted, key)), " AND ".join(f"{quoted(each)} IS NOT NULL" for each in key)
