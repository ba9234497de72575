"""The rows of one entry of the mapping: files, what is joined to them, which rows are kept, and cells taken apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.mapping import FileFormat, FileMapping, Join
from feature_repo.datasets.files.reading.source_files import Relation, SourceColumn, open_files, reading_fault
from feature_repo.datasets.files.reading.sql_text import literal
from feature_repo.datasets.files.reading.texts import WHOLE, text_of
from feature_repo.datasets.files.staging import Staging

INDEX = "index_in_cell"  # the position of a value in its cell, from 0


def mapped_rows(staging: Staging, folder: Path, number: int, mapping: FileMapping) -> Relation:
    """The rows with FILE, ROW and INDEX. ``number``: of the entry. Raises DatasetError."""
    relation = _opened(staging, folder, mapping.path, mapping.format)
    for place, join in enumerate(mapping.join):
        relation = _joined(staging, folder, f"joined_{number}_{place}", mapping, join, relation)
    return _taken_apart(staging, _chosen(staging, relation, mapping), mapping)


def _opened(staging: Staging, folder: Path, path: str, form: FileFormat) -> Relation:
    """Text is read once, whatever number of entries and checks go over it."""
    if (path, form) not in staging.opened:
        relation = open_files(staging.connection, folder, path, form, staging.folder)
        if relation.is_text:
            name = f"source_{len(staging.opened)}"
            try:
                staging.save(name, relation.query)
            except duckdb.Error as error:
                raise reading_fault(error, relation) from error
            relation = replace(relation, query=f"SELECT * FROM {name}")
        staging.opened[path, form] = relation
    found: Relation = staging.opened[path, form]
    return found


def whole_columns(staging: Staging, relation: Relation, names: tuple[str, ...]) -> frozenset[str]:
    """The columns of text whose every value is a whole number, some written as a float: 34.0."""
    texts = [name for name in names if relation.column(name).type == "VARCHAR"]
    if not texts:
        return frozenset()
    checks = ", ".join(
        f"bool_and(regexp_full_match(trim({text}), '{WHOLE}')) AND bool_or(contains({text}, '.'))"
        for text in (text_of(relation.column(name)) for name in texts)
    )
    try:
        found = staging.row(f"SELECT {checks} FROM ({relation.query})")
    except duckdb.Error as error:
        raise reading_fault(error, relation) from error
    return frozenset(name for name, whole in zip(texts, found, strict=True) if whole)


def _joined(
    staging: Staging, folder: Path, view: str, mapping: FileMapping, join: Join, relation: Relation
) -> Relation:
    """With the columns of the joined file. Of a name that stands in both, the rows' own is kept."""
    other = _once(_opened(staging, folder, join.path, mapping.format))
    theirs = _key(staging, other, join.key, "")
    ours = _key(staging, relation, join.key, "l.")
    _refuse_repeated_join(staging, other, join.key, theirs)
    new = [name for name in other.columns if name not in relation.columns]
    numbered = {name: f"c{len(relation.columns) + number}" for number, name in enumerate(new)}
    taken = "".join(f", {other.columns[name].sql} AS {sql}" for name, sql in numbered.items())
    keys = ", ".join(f"{sql} AS k{number}" for number, sql in enumerate(theirs))
    on = " AND ".join(f"{sql} = r.k{number}" for number, sql in enumerate(ours))
    added = "".join(f", r.{sql}" for sql in numbered.values())
    query = (
        f"SELECT l.*{added}, r.k0 IS NULL AS alone "
        f"FROM ({relation.query}) l LEFT JOIN (SELECT {keys}{taken} FROM ({other.query})) r ON {on}"
    )
    try:
        staging.save(view, query)
    except duckdb.Error as error:
        raise reading_fault(error, relation) from error
    staging.note_where(
        mapping.table, view, "alone", f"{FILE} || ', row ' || {ROW}",
        "rows kept without joined columns", f"{join.path} has no row with their {', '.join(join.key)}",
    )  # fmt: skip
    columns = relation.columns | {name: SourceColumn(sql, other.columns[name].type) for name, sql in numbered.items()}
    return replace(relation, query=f"SELECT * EXCLUDE (alone) FROM {view}", columns=columns)


def _once(relation: Relation) -> Relation:
    """Rows that are wholly equal count once."""
    columns = ", ".join(column.sql for column in relation.columns.values())
    rows = f"SELECT min({FILE}) AS {FILE}, max({ROW}) AS {ROW}, {columns} FROM ({relation.query}) GROUP BY {columns}"
    return replace(relation, query=rows)


def _key(staging: Staging, relation: Relation, names: tuple[str, ...], prefix: str) -> list[str]:
    """SQL of the text of each part of a key."""
    whole = whole_columns(staging, relation, names)
    found = [(name, relation.column(name)) for name in names]
    return [text_of(SourceColumn(prefix + column.sql, column.type), name in whole) for name, column in found]


def _refuse_repeated_join(staging: Staging, other: Relation, key: tuple[str, ...], texts: list[str]) -> None:
    parts, whole = ", ".join(texts), " AND ".join(f"{text} IS NOT NULL" for text in texts)
    try:
        found = staging.rows(
            f"SELECT arg_max({FILE}, {ROW}), max({ROW}), any_value(concat_ws('|', {parts})) FROM ({other.query}) "
            f"WHERE {whole} GROUP BY {parts} HAVING count(*) > 1 ORDER BY 2 LIMIT 1"
        )
    except duckdb.Error as error:
        raise reading_fault(error, other) from error
    for file, row, value in found:
        what = f"{value!r} occurs twice, with other values; the key of a join is unique: take one of the rows out"
        raise BadSource(Path(file), what, ", ".join(key), row)


def _chosen(staging: Staging, relation: Relation, mapping: FileMapping) -> Relation:
    """Only the rows with the values of ``where``. Raises BadSource where there are none."""
    if not mapping.where:
        return relation
    whole = whole_columns(staging, relation, tuple(mapping.where))
    texts = {name: text_of(relation.column(name), name in whole) for name in mapping.where}
    kept = " AND ".join(
        f"coalesce({texts[name]}, '') IN ({', '.join(map(literal, values))})" for name, values in mapping.where.items()
    )
    chosen = replace(relation, query=f"SELECT * FROM ({relation.query}) WHERE {kept}")
    try:
        if not staging.rows(f"SELECT 1 FROM ({chosen.query}) LIMIT 1"):
            raise BadSource(relation.path, f"where keeps no row; {_most_frequent(staging, relation, texts)}")
    except duckdb.Error as error:
        raise reading_fault(error, relation) from error
    return chosen


def _most_frequent(staging: Staging, relation: Relation, texts: dict[str, str]) -> str:
    """What the columns hold, for a message."""
    found = []
    for name, text in texts.items():
        rows = staging.rows(f"SELECT {text}, count(*) FROM ({relation.query}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5")
        found.append(f"{name} holds {', '.join('blank' if value is None else repr(value) for value, _ in rows)}")
    return "; ".join(found)


def _taken_apart(staging: Staging, relation: Relation, mapping: FileMapping) -> Relation:
    """One row for each value of a cell. Cells of a row that are taken apart have equally many values."""
    split = {name: values.split for values in mapping.columns.values() for name in values.source if values.split}
    used = [name for values in mapping.columns.values() for name in (*values.source, *filter(None, [values.index_of]))]
    lists = {name: "" for name in used if relation.column(name).is_list} | split
    if not lists:
        return replace(relation, query=f"SELECT *, 0 AS {INDEX} FROM ({relation.query})")
    parts = {relation.column(name).sql: _parts(relation.column(name), separator) for name, separator in lists.items()}
    listed = ", ".join(f"{parts} AS {sql}" for sql, parts in parts.items())
    apart = f"SELECT * REPLACE ({listed}) FROM ({relation.query})"
    first, *others = parts
    if others:
        _refuse_uneven(staging, relation, apart, list(lists), list(parts))
    cells = {sql: f"CASE WHEN len({sql}) > 0 THEN {sql} ELSE [NULL] END" for sql in parts}
    unnested = ", ".join(f"unnest({cell}) AS {sql}" for sql, cell in cells.items())
    blank = " AND ".join(f"coalesce({sql}::VARCHAR, '') = ''" for sql in parts)
    # An event may have no item. A list without items is none, and a separator at the end of a cell adds nothing.
    dropped = f"{blank} AND (cell_size > 1 OR {mapping.table != 'events'})"
    query = (
        f"SELECT * EXCLUDE (cell_size) FROM (SELECT * EXCLUDE ({', '.join(parts)}), {unnested}, len({cells[first]}) AS "
        f"cell_size, generate_subscripts({cells[first]}, 1) - 1 AS {INDEX} FROM ({apart})) WHERE NOT ({dropped})"
    )
    columns = {
        name: SourceColumn(column.sql, column.type.removesuffix("[]") if name in lists else column.type)
        for name, column in relation.columns.items()
    }
    return replace(relation, query=query, columns=columns)


def _parts(column: SourceColumn, separator: str) -> str:
    """SQL of the list of the values of a cell; brackets and quotes around them are taken off."""
    if column.is_list:
        return column.sql
    text = rf"regexp_replace(trim({text_of(column)}), '^[\[(]|[\])]$', '', 'g')"
    if not separator.strip():
        return rf"string_split_regex({text}, '\s+')"
    quotes = "' ''\"'"
    return f"list_transform(string_split({text}, {literal(separator)}), lambda x: trim(x, {quotes}))"


def _refuse_uneven(staging: Staging, relation: Relation, apart: str, names: list[str], sqls: list[str]) -> None:
    first, *others = sqls
    uneven = " OR ".join(f"coalesce(len({first}), 0) <> coalesce(len({sql}), 0)" for sql in others)
    sizes = ", ".join(f"coalesce(len({sql}), 0)" for sql in sqls)
    try:
        found = staging.rows(f"SELECT {FILE}, {ROW}, {sizes} FROM ({apart}) WHERE {uneven} ORDER BY 1, 2 LIMIT 1")
    except duckdb.Error as error:
        raise reading_fault(error, relation) from error
    for file, row, *counts in found:
        said = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise BadSource(
            Path(file), f"cells that are taken apart in step have different numbers of values: {said}", row=row
        )
