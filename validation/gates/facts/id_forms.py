"""Simple changes of ids: of two sets that do not match, one of them may show what was done to the ids of one side."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

MIN_SHARE = 0.1  # of the ids without a match: a change that fewer need may match them by chance


@dataclass(frozen=True)
class IdForm:
    """``text``: what both sides are compared without. ``sql``: of the id ``{id}`` in this form.

    ``sure``: two different ids hardly have the same form by chance.
    """

    text: str
    sql: str
    sure: bool = True


@dataclass(frozen=True)
class Hint:
    """``matched``: ids of the left side that are in the right side only in this form; ``example``: such a pair."""

    form: IdForm
    matched: int
    example: tuple[str, str]

    def __str__(self) -> str:
        left, right = self.example
        return f"{self.matched:,} more would match without regard to {self.form.text} ('{left}' and '{right}')"


TRAILING_ZERO = IdForm("a trailing '.0'", r"regexp_replace({id}, '\.0+$', '')")
CASE = IdForm("upper and lower case", "lower({id})")
BLANKS = IdForm("blanks around the id", r"regexp_replace({id}, '^\s+|\s+$', '', 'g')")
ZEROS = IdForm("leading zeros", "ltrim({id}, '0')")
QUOTES = IdForm("quotation marks", "replace(replace({id}, '\"', ''), '''', '')")
PREFIX = IdForm("the text before the number", "regexp_replace({id}, '^[^0-9]+', '')", sure=False)
SIMPLE = (TRAILING_ZERO, CASE, BLANKS, ZEROS, QUOTES)


def _all_of(forms: tuple[IdForm, ...]) -> IdForm:
    sql = "{id}"
    for form in forms:
        sql = form.sql.replace("{id}", sql)
    return IdForm("blanks, quotation marks, case, leading zeros and a trailing '.0'", sql)


FORMS = (*SIMPLE, _all_of((BLANKS, QUOTES, CASE, TRAILING_ZERO, ZEROS)), PREFIX)  # of equal ones the first is named


def hint(connection: duckdb.DuckDBPyConnection, left: str, right: str) -> Hint | None:
    """``left``: SQL for the ``id`` without a match, distinct; ``right``: SQL for the ``id`` of the other side.

    None if no form matches MIN_SHARE of them.
    """
    best: Hint | None = None
    for form in FORMS:
        left_form, right_form = (form.sql.replace("{id}", f"{side}.id") for side in ("l", "r"))
        unmatched, matched, pair = connection.execute(
            f"""
            WITH l AS ({left}), r AS (
                SELECT {right_form} AS form, min(id) AS id FROM ({right}) r GROUP BY 1
            ), pairs AS (
                SELECT l.id AS left_id, r.id AS right_id FROM l JOIN r ON r.form = {left_form} WHERE r.form <> ''
            )
            SELECT (SELECT count(*) FROM l), count(*), min([left_id, right_id]) FROM pairs
            """
        ).fetchall()[0]
        if matched and matched >= MIN_SHARE * unmatched and (best is None or matched > best.matched):
            best = Hint(form, matched, (pair[0], pair[1]))
    return best
