"""Columns that a data set adds to the common ones: their names, types and descriptions."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import chain, count

from feature_repo.definitions.views import views
from feature_repo.init.guess.decisions import Extra, Group
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column, Kind
from feature_repo.init.words import is_id_like
from feature_repo.model_features import model_features
from feature_repo.schema import Column as SchemaColumn
from feature_repo.schema import Declaration, DType, item_changes_table, log_tables

LONGEST = 60
READ_ALREADY = frozenset(["0", "1", "0.0", "1.0", "true", "false"])
YES = ("true", "t", "yes", "y", "1", "1.0")


@cache
def taken_names() -> frozenset[str]:
    """Names that the log, the views and the model have already."""
    empty = Declaration("empty", "empty")
    tables = (*log_tables(empty), item_changes_table(empty))
    groups = [table.columns for table in tables] + [view.columns for view in views(empty)]
    named = {column.name for columns in groups for column in columns}
    return frozenset(named | {feature.name for feature in model_features(empty)})


def extra_name(name: str, others: set[str]) -> str:
    """Lower-case letters, digits and underscores; ``own_`` before it, or a number behind it, where it is in use."""
    clean = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", unicodedata.normalize("NFKD", name))
    clean = re.sub(r"\W+|_+", "_", clean.encode("ascii", "ignore").decode()).strip("_").lower()[:LONGEST]
    clean = clean if clean[:1].isalpha() else f"x_{clean}".rstrip("_")
    used = taken_names() | others
    names = chain((clean, f"own_{clean}"[:LONGEST]), (f"{clean[: LONGEST - 6]}_{n}" for n in count(2)))
    return next(each for each in names if each not in used)


def extra_of(group: Group, view: View, column: Column, name: str) -> Extra:
    """The declaration of a column. A number is float32, a text is a string."""
    examples = ", ".join(column.examples)[:80]
    about = f"{column.name} of {view.pattern}, such as {examples}".replace("\n", " ")
    if column.kind is Kind.FLAG:
        return Extra(group, SchemaColumn(name, DType.FLOAT32, about, "flag", True, 0, 1), column.name)
    dtype = DType.FLOAT32 if is_number(column) else DType.STRING
    return Extra(group, SchemaColumn(name, dtype, about, "", True), column.name)


def is_number(column: Column) -> bool:
    """Whether it becomes float32: a number, a flag, or a cell of several numbers. An id's number is a name."""
    if column.kind is Kind.INTEGER and is_id_like(column.name):
        return False
    return column.is_numeric or column.kind is Kind.FLAG or (column.lists is not None and column.lists.numeric)


def flag_map(column: Column) -> dict[str, object]:
    """How a flag of words becomes 1 and 0; a blank is no. Numbers, true and false are read as they are."""
    if column.kind is not Kind.FLAG or {text.lower() for text in column.texts} <= READ_ALREADY:
        return {}
    blank = {"": 0} if column.nulls else {}
    return {"map": {text: int(text.lower() in YES) for text in column.texts} | blank}
