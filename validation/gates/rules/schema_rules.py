"""Rules that follow from the schema: not null, the limits of each column, unique key."""

from __future__ import annotations

from feature_repo.datasets.column_checks import column_checks
from feature_repo.schema import Column
from validation.gates.rules.rule import QueryRule, RowRule, Rule, shown
from validation.gates.rules.table_file import TableFile


def schema_rules(file: TableFile, *, nan_is_unknown: bool = False) -> list[Rule]:
    """The rules of all columns, then of the key.

    ``nan_is_unknown``: whether NaN stands for null, as in the training set. In all other tables NaN is an error.
    """
    rules: list[Rule] = [rule for column in file.columns for rule in column_rules(file, column, nan_is_unknown)]
    return [*rules, unique(file, file.key)]


def column_rules(file: TableFile, column: Column, nan_is_unknown: bool) -> list[RowRule]:
    name = f'"{column.name}"'
    not_null = [] if column.nullable else [row_rule(file, column.name, "not null", f"{name} IS NULL")]
    checks = column_checks(column, name, nan_is_unknown=nan_is_unknown)
    return [*not_null, *(row_rule(file, column.name, check.text, check.breaks) for check in checks)]


def row_rule(
    file: TableFile, column: str, text: str, breaks: str, *also_show: str, needs: tuple[str, ...] = (), advice: str = ""
) -> RowRule:
    """A blocking rule on single rows. An example shows the column, ``also_show`` and the key."""
    shows = (column, *also_show, *file.key)
    return RowRule(table=file.name, column=column, text=text, breaks=breaks, shows=shows, needs=needs, advice=advice)


def unique(file: TableFile, key: tuple[str, ...]) -> QueryRule:
    names = ", ".join(f'"{name}"' for name in key)
    return QueryRule(
        table=file.name,
        column=", ".join(key),
        text="unique",
        query=f'SELECT {shown(*key)} AS example FROM "{file.name}" GROUP BY {names} HAVING count(*) > 1',
    )


def not_empty(file: TableFile) -> QueryRule:
    return QueryRule(
        table=file.name,
        column="(rows)",
        text="at least one",
        query=f"""SELECT 'no rows' AS example WHERE NOT EXISTS (SELECT 1 FROM "{file.name}")""",
    )
