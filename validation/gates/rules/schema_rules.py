"""Rules that follow from the schema: not null, range, allowed values, finite, unique key."""

from __future__ import annotations

from feature_repo.schema import Column, DType
from validation.gates.rules.rule import QueryRule, RowRule, Rule, shown
from validation.gates.rules.table_file import TableFile


def schema_rules(file: TableFile, *, nan_is_unknown: bool = False) -> list[Rule]:
    """The rules of all columns, then of the key.

    ``nan_is_unknown``: whether NaN stands for null, as in the training set. In all other tables NaN is an error.
    """
    rules: list[Rule] = [rule for column in file.columns for rule in column_rules(file, column, nan_is_unknown)]
    return [*rules, unique(file, file.key)]


def column_rules(file: TableFile, column: Column, nan_is_unknown: bool) -> list[RowRule]:
    name, rules = f'"{column.name}"', []
    if not column.nullable:
        rules.append(row_rule(file, column.name, "not null", f"{name} IS NULL"))
    if column.dtype is DType.FLOAT32:
        text, breaks = ("not infinite", "") if nan_is_unknown else ("finite", f" OR isnan({name})")
        rules.append(row_rule(file, column.name, text, f"isinf({name}){breaks}"))
    if column.minimum is not None:
        rules.append(row_rule(file, column.name, f"at least {column.minimum:.12g}", f"{name} < {column.minimum!r}"))
    if column.maximum is not None:
        known = f" AND NOT isnan({name})" if column.dtype is DType.FLOAT32 else ""  # in DuckDB NaN is above all numbers
        breaks = f"{name} > {column.maximum!r}{known}"
        rules.append(row_rule(file, column.name, f"at most {column.maximum:.12g}", breaks))
    if column.allowed is not None:
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in column.allowed)
        rules.append(row_rule(file, column.name, f"one of {', '.join(column.allowed)}", f"{name} NOT IN ({values})"))
    return rules


def row_rule(
    file: TableFile, column: str, text: str, breaks: str, *also_show: str, needs: tuple[str, ...] = ()
) -> RowRule:
    """A blocking rule on single rows. An example shows the column, ``also_show`` and the key."""
    shows = (column, *also_show, *file.key)
    return RowRule(table=file.name, column=column, text=text, breaks=breaks, shows=shows, needs=needs)


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
