"""Columns that have the log's own names already: they are what they say."""

from __future__ import annotations

from feature_repo.datasets.checks.values import NUMBERS
from feature_repo.init.guess.columns.times import time_decision
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, column_of
from feature_repo.init.guess.lookup import Lookup
from feature_repo.init.profile.column import Kind
from feature_repo.schema import Declaration, DType, Table, log_tables

POSITIONS = ("input_position", "shown_position")


def add_own_names(guess: Guess, entry: FileGuess, lookup: Lookup) -> None:
    """Map each column of the file that has the name of a column of the table, and of no other role."""
    view = lookup.view
    for column in _table(entry.table).columns:
        found = view.columns.get(column.name)
        if found is None or found.kind is Kind.EMPTY or column.name in lookup.named - set(POSITIONS):
            continue
        if column.name in entry.columns and column.name not in POSITIONS:
            continue
        if column.dtype is DType.TIMESTAMP:
            if found.times is None:
                continue
            entry.columns[column.name] = time_decision(guess, view, column.name, f"{entry.table}.{column.name}")
        elif column.dtype in NUMBERS and found.numbers is None and found.kind is not Kind.FLAG and found.lists is None:
            guess.leave_out(view.pattern, column.name, f"holds no numbers, such as {found.examples[0]!r}")
        elif column.name in POSITIONS and found.numbers is not None and found.numbers.low == 1:
            entry.columns[column.name] = Decision(column_of(column.name, minus=1.0), "it has this name; from 1")
        else:
            entry.columns[column.name] = Decision(column_of(column.name), "it has this name")
        lookup.use(column.name)


def _table(name: str) -> Table:
    return next(table for table in log_tables(Declaration("any", "any")) if table.name == name)
