"""The files of one entry of the mapping -> rows of a table of the log, before anything is made or mended."""

from __future__ import annotations

from pathlib import Path

import duckdb

from feature_repo.datasets.checks.columns import undeclared_columns
from feature_repo.datasets.checks.values import FILE, LOST_SHARE, ROW, first_problems, lost, lost_amounts, problem
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.files.mapping import FileMapping, Values
from feature_repo.datasets.files.reading.file_rows import INDEX, mapped_rows, whole_columns
from feature_repo.datasets.files.reading.source_files import Relation, reading_fault
from feature_repo.datasets.files.reading.sql_text import literal
from feature_repo.datasets.files.reading.texts import text_of
from feature_repo.datasets.files.reading.values import Cells, MappedValue, mapped_value, number_name, raw_name
from feature_repo.datasets.files.staging import Staging
from feature_repo.schema import DType, Table

# Columns of a mapped file whose times are only known relative to others of the user.
RELATIVE = ("relative_per", "relative_order", "relative_days", "relative_hour")


def map_file(staging: Staging, folder: Path, number: int, mapping: FileMapping, table: Table) -> list[DatasetError]:
    """Save the view ``mapped_NUMBER`` of the rows, with FILE, ROW and the mapped columns. Returns what is wrong."""
    undeclared = {name: "VARCHAR" for name in mapping.columns if name not in {c.name for c in table.columns}}
    try:
        relation = mapped_rows(staging, folder, number, mapping)
        if undeclared:
            types = {name: _type(relation, mapping.columns[name]) for name in undeclared}
            return [undeclared_columns(relation.path, table, types)]
        whole = _whole(staging, relation, mapping, table)
        cells = Cells(relation.column, lambda name: f'"text {relation.column(name).sql}"', INDEX)
        chosen = {name: mapped_value(cells, mapping, name, table.column(name)) for name in mapping.columns}
    except DatasetError as error:
        return [error]
    try:
        staging.save(f"checked_{number}", _checked(cells, mapping, relation, whole, chosen))
    except duckdb.Error as error:
        return [reading_fault(error, relation)]
    faults: list[DatasetError] = [*_faults(staging, number, mapping, chosen)]
    if not faults and not staging.count(f"checked_{number}", "unnamed IS NULL"):
        faults.append(_no_rows(staging, number, relation))
    if not faults:
        _note_dropped(staging, number, mapping, chosen)
        columns = ", ".join((FILE, ROW, *(f'"{name}"' for name in (*chosen, *_relative(mapping)))))
        staging.view(f"mapped_{number}", f"SELECT {columns} FROM checked_{number} WHERE unnamed IS NULL")
    return faults


def _no_rows(staging: Staging, number: int, relation: Relation) -> BadSource:
    found = staging.rows(f"SELECT unnamed FROM checked_{number} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 5")
    if not found:
        return BadSource(relation.path, "the file holds no rows")
    return BadSource(
        relation.path, f"the mapping drops every row: it has no value for {', '.join(u for (u,) in found)}"
    )


def _type(relation: Relation, values: Values) -> str:
    """What a column that is not declared may hold: a number, if the mapping computes one."""
    numeric = values.scale != 1 or values.minus != 0 or values.round or values.at_least is not None
    if numeric or values.equals is not None or values.index_of is not None:
        return "DOUBLE"
    return relation.column(values.source[0]).type if values.source else "VARCHAR"


def _whole(staging: Staging, relation: Relation, mapping: FileMapping, table: Table) -> frozenset[str]:
    """The columns of text that hold whole floats and are read as text: ids."""
    names = [
        name
        for column, values in mapping.columns.items()
        for name in (*values.source, *filter(None, [values.equals]))
        if (table.column(column).dtype is DType.STRING and not values.map) or name == values.equals
    ]
    names += [values.relative.per for values in mapping.columns.values() if values.relative]
    found = whole_columns(staging, relation, tuple(dict.fromkeys(names)))
    for name in sorted(found):
        staging.note(
            mapping.table, "columns of ids made whole", 1, f"all values of {name} are whole floats, like 34.0", name
        )
    return found


def _checked(
    cells: Cells, mapping: FileMapping, relation: Relation, whole: frozenset[str], chosen: dict[str, MappedValue]
) -> str:
    """SQL: the values, the sentence about what is wrong with each, and why a row is dropped."""
    used = dict.fromkeys(name for values in mapping.columns.values() for name in _sources(values))
    texts = "".join(f", {text_of(relation.column(name), name in whole)} AS {cells.text(name)}" for name in used)
    read = [f"{value.raw} AS {raw_name(name)}" for name, value in chosen.items()]
    read += [f"{value.number} AS {number_name(name)}" for name, value in chosen.items() if value.number is not None]
    read += [f"{sql} AS {name}" for name, sql in _relative_values(cells, mapping).items()]
    typed = "".join(f', {value.typed} AS "{name}"' for name, value in chosen.items())
    unnamed = " ".join(
        f"WHEN {value.unnamed} THEN {literal(name + ': ')} || coalesce({_shown(cells, mapping.columns[name])}, 'blank')"
        for name, value in chosen.items()
        if value.unnamed
    )
    result = [f'"{name}"' for name in (*chosen, *_relative(mapping))]
    result += [f'{problem(value.source)} AS "problem_{name}"' for name, value in chosen.items()]
    result += [f'{lost(value.source)} AS "lost_{name}"' for name, value in chosen.items() if _is_money(value)]
    result.append(f"CASE {unnamed} END AS unnamed" if unnamed else "NULL::VARCHAR AS unnamed")
    query = f"SELECT *{texts} FROM ({relation.query})"
    query = f"SELECT *, {', '.join(read)} FROM ({query})"
    query = f"SELECT *{typed} FROM ({query})"
    return f"SELECT {FILE}, {ROW}, {', '.join(result)} FROM ({query})"


def _sources(values: Values) -> tuple[str, ...]:
    """The columns whose text a value needs."""
    relative = values.relative
    more = (relative.per, relative.order, relative.days, relative.hour) if relative else ()
    return tuple(name for name in (*values.source, values.equals, *more) if name is not None)


def _shown(cells: Cells, values: Values) -> str:
    return " || '|' || ".join(cells.text(name) for name in values.source)


def _is_money(value: MappedValue) -> bool:
    return value.source.column.dtype is DType.MONEY and value.source.number is not None


def _relative(mapping: FileMapping) -> tuple[str, ...]:
    return RELATIVE if any(values.relative for values in mapping.columns.values()) else ()


def _relative_values(cells: Cells, mapping: FileMapping) -> dict[str, str]:
    for values in mapping.columns.values():
        if values.relative is not None:
            of = values.relative
            hour = f"TRY_CAST({cells.text(of.hour)} AS DOUBLE)" if of.hour else "NULL::DOUBLE"
            numbers = [f"TRY_CAST({cells.text(name)} AS DOUBLE)" for name in (of.order, of.days)]
            return dict(zip(RELATIVE, (cells.text(of.per), *numbers, hour), strict=True))
    return {}


def _faults(staging: Staging, number: int, mapping: FileMapping, chosen: dict[str, MappedValue]) -> list[BadSource]:
    problems = [(value.source.name, f'"problem_{name}"') for name, value in chosen.items()]
    kept = f"(FROM checked_{number} WHERE unnamed IS NULL)"
    return first_problems(staging.connection, kept, problems) or [
        fault
        for name, value in chosen.items()
        if _is_money(value)
        for fault in _too_fine(staging, number, mapping, name, value)
    ]


def _too_fine(staging: Staging, number: int, mapping: FileMapping, name: str, value: MappedValue) -> list[BadSource]:
    """Amounts that cents make 0.00: a wrong unit where there are many, else a note."""
    view = f"checked_{number}"
    lost, amounts, first = staging.row(
        f"""
        SELECT count(*) FILTER ("lost_{name}"), count(*) FILTER ("lost_{name}" OR "{name}" > 0),
            min(struct_pack(file := {FILE}, row := {ROW})) FILTER ("lost_{name}")
        FROM {view} WHERE unnamed IS NULL
        """
    )
    if lost > LOST_SHARE * amounts:
        return [BadSource(Path(first["file"]), lost_amounts(lost, amounts), column=value.source.name, row=first["row"])]
    if lost:
        why = f"money has cents, and their {name} is smaller"
        table, example = mapping.table, f"{Path(first['file']).name}, row {first['row']}"
        staging.note(table, f"values of {name} rounded to 0.00", lost, why, example)
    return []


def _note_dropped(staging: Staging, number: int, mapping: FileMapping, chosen: dict[str, MappedValue]) -> None:
    for name, value in chosen.items():
        if value.unnamed:
            of_this = f"starts_with(unnamed, {literal(name + ': ')})"
            found = staging.rows(
                f"SELECT unnamed, count(*) FROM checked_{number} WHERE {of_this} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3"
            )
            example = ", ".join(f"{text} ({count:,})" for text, count in found)
            why = f"the mapping has no {name} for it ({mapping.path})"
            staging.note(mapping.table, "rows dropped", staging.count(f"checked_{number}", of_this), why, example)
