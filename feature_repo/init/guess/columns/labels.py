"""The label of a list's rows: what the user did with the candidate, as a gain."""

from __future__ import annotations

from feature_repo.datasets.files.reading.sql_text import literal, quoted
from feature_repo.init import words as w
from feature_repo.init.guess.columns.extras import YES, flag_map
from feature_repo.init.guess.decisions import Decision, column_of
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column, Kind
from infra.limits import MAX_LABEL


def outcome_depth(column: Column) -> int:
    """1 for a click, 2 for a cart, 3 for an order; 0 where the name is that of a grade."""
    found = w.core(column.name)
    return max((depth for depth, known in w.OUTCOMES.items() if found & known), default=0)


def label_decision(sampled: Sampled, view: View) -> tuple[Decision, list[str], str]:
    """(the label, the columns it is made of, SQL of whether the row is a positive)."""
    columns = [view.columns[name] for name in view.roles["label"]]
    grades = [each for each in columns if outcome_depth(each) == 0]
    if grades or len(columns) == 1:
        column = grades[0] if grades else columns[0]
        return _one(column), [column.name], _positive(column)
    flags = sorted((each for each in columns if _is_flag(each)), key=lambda each: (outcome_depth(each), each.name))
    if len(flags) < 2:
        return _one(columns[0]), [columns[0].name], _positive(columns[0])
    gains = {each.name: gain for gain, each in enumerate(flags[:MAX_LABEL], start=1)}
    names = list(gains)
    combined = {
        "|".join(values): max((gains[n] for n, v in zip(names, values, strict=True) if v.lower() in YES), default=0)
        for values in sampled.values(view.table.sample, names)
    }
    if any(each.nulls for each in flags):
        combined[""] = 0  # a blank in one of them makes the whole key blank
    told = ", ".join(f"{name} {gain}" for name, gain in gains.items())
    made = Decision(
        column_of(names[0], map=combined).model_copy(update={"source": tuple(names)}), f"the deepest of {told}"
    )
    return made, names, " OR ".join(f"({_positive(each)})" for each in flags)


def _is_flag(column: Column) -> bool:
    return column.kind is Kind.FLAG


def _one(column: Column) -> Decision:
    if column.kind is Kind.FLAG:
        return Decision(
            column_of(column.name, **flag_map(column)), f"1 where it is so; {_share(column):.1%} of the rows"
        )
    assert column.numbers is not None
    high = column.numbers.high
    if high <= MAX_LABEL:
        return Decision(column_of(column.name), f"grades from {column.numbers.low:g} to {high:g}")
    steps = {0.0: 0} | {high * n / MAX_LABEL: n for n in range(1, MAX_LABEL + 1)}
    return Decision(
        column_of(column.name, at_least=steps), f"up to {high:g}, cut into grades from 0 to {MAX_LABEL}", 0.7
    )


def _share(column: Column) -> float:
    positive = sum(rows for text, rows in column.values if text.lower() in YES)
    return positive / column.rows


def _positive(column: Column) -> str:
    if column.kind is Kind.FLAG:
        return f"lower({quoted(column.name)}) IN ({', '.join(map(literal, YES))})"
    return f"TRY_CAST({quoted(column.name)} AS DOUBLE) > 0"
