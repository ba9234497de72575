"""Which columns a table needs and may have, and what declares a further one."""

from __future__ import annotations

import json
from pathlib import Path

from feature_repo.datasets.checks.columns import column_problems, declaring_json
from feature_repo.datasets.declarations.declaration_json import declaration_from_json
from feature_repo.schema import Declaration, DType, events_table, impressions_table, items_table

MINE = Declaration("mine", "mine")


def test_all_missing_and_all_undeclared_columns_are_named() -> None:
    found = {"item_id": "VARCHAR", "Star Rating": "DOUBLE", "ok": "BOOLEAN", "colour": "VARCHAR"}
    said = [str(each) for each in column_problems(Path("items.csv"), items_table(MINE), found, set())]
    assert said[0] == "items.csv, column 'valid_from_ts': the column is missing: time from which these attributes hold"
    assert said[1].startswith("items.csv, column 'Star Rating, ok, colour': the column is not declared: ")
    assert column_problems(Path("items.csv"), items_table(MINE), {"item_id": "VARCHAR"}, {"valid_from_ts"}) == []


def test_the_entry_is_a_declaration_of_the_columns() -> None:
    text = declaring_json(impressions_table(MINE), {"Promoted?": "BIGINT", "2nd city": "VARCHAR"})
    declared = declaration_from_json(json.dumps({"name": "mine", "title": "mine", **json.loads(text)}))
    assert [(c.name, c.dtype, c.nullable) for c in declared.facts] == [("promoted", DType.FLOAT32, True)]
    assert [(c.name, c.dtype) for c in declared.context] == [("nd_city", DType.STRING)]


def test_events_have_no_columns_of_their_own_and_the_message_lists_what_they_have() -> None:
    names = [column.name for column in events_table(MINE).columns]
    [problem] = column_problems(
        Path("e.csv"), events_table(MINE), {**dict.fromkeys(names, "VARCHAR"), "x": "DOUBLE"}, set()
    )
    assert str(problem) == f"e.csv, column 'x': the column is not declared: drop it; events have {', '.join(names)}"
