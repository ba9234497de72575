"""The rows of an entry: which are kept, what is joined to them, and cells of several values."""

from __future__ import annotations

import json

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles

SLATE = "slate_id: {from: s}, user_id: {value: u}, shown_ts: {value: 2024-05-01}, label: {value: 1}"
EVENT = "event_ts: {value: 2024-05-01}, action: {value: order}"


def test_only_rows_with_the_values_of_where_are_kept(own: OwnFiles) -> None:
    columns = f"{{{EVENT}, item_id: {{from: i}}}}"
    where = "    where: {status: [done, 3], kind: ''}\n"
    log = own.events("i,status,kind\na,done,\nb,3,\nc,open,\nd,done,x\n", columns, more=where)
    assert log.column("SELECT item_id FROM events ORDER BY 1") == ["a", "b"]


def test_where_compares_ids_however_pandas_wrote_them(own: OwnFiles) -> None:
    log = own.events("i,s\na,3.0\nb,4.0\n", f"{{{EVENT}, item_id: {{from: i}}}}", more="    where: {s: 3}\n")
    assert log.column("SELECT item_id FROM events") == ["a"]


@pytest.mark.parametrize(
    ("content", "more", "problem"),
    [
        ("i,s\na,done\nb,done\nc,\n", "    where: {s: Done}\n", r"where keeps no row; s holds 'done', blank"),
        ("i,s\n", "", r"events\.csv: the file holds no rows"),
    ],
)
def test_an_entry_without_any_row_is_refused_with_what_the_file_holds(
    own: OwnFiles, content: str, more: str, problem: str
) -> None:
    with pytest.raises(DatasetError, match=problem):
        own.events(content, f"{{{EVENT}, item_id: {{from: i}}}}", more=more)


def test_a_map_that_drops_every_row_is_refused_with_what_it_does_not_name(own: OwnFiles) -> None:
    columns = "{event_ts: {value: 2024-05-01}, item_id: {from: i}, action: {from: a, map: {Buy: order}}}"
    with pytest.raises(DatasetError, match="drops every row: it has no value for action: buy, action: blank"):
        own.events("i,a\na,buy\nb,buy\nc,\n", columns)


def test_a_joined_file_adds_its_columns_by_a_key_however_pandas_wrote_it(own: OwnFiles) -> None:
    own.write({"orders.csv": "order,user,i\n1.0,x,no\n2.0,y,no\n"}, "{}")
    columns = f"{{{EVENT}, user_id: {{from: user}}, session_id: {{from: order}}, item_id: {{from: i}}}}"
    join = "    join: [{path: orders.csv, key: order}]\n"
    log = own.events("order,i\n1,a\n2,b\n3,c\n", columns, more=join)
    assert log.query("SELECT item_id, user_id, session_id FROM events ORDER BY 1") == [
        ("a", "x", "1"), ("b", "y", "2"), ("c", "3", "3"),
    ]  # fmt: skip
    [note] = log.noted("rows kept without joined columns")
    assert (note.count, note.why) == (1, "orders.csv has no row with their order")


def test_equal_rows_of_the_joined_file_count_once_and_blank_keys_not_at_all(own: OwnFiles) -> None:
    own.write({"orders.csv": "order,user\n1,x\n1,x\n,y\n,z\n"}, "{}")
    columns = f"{{{EVENT}, user_id: {{from: user}}, item_id: {{from: i}}}}"
    log = own.events("order,i\n1,a\n", columns, more="    join: [{path: orders.csv, key: order}]\n")
    assert log.query("SELECT item_id, user_id FROM events") == [("a", "x")]


def test_a_key_that_is_not_unique_in_the_joined_file_is_refused(own: OwnFiles) -> None:
    own.write({"orders.csv": "order,user\n1,x\n1,y\n"}, "{}")
    columns = f"{{{EVENT}, user_id: {{from: user}}, item_id: {{from: i}}}}"
    with pytest.raises(DatasetError, match=r"orders\.csv, column 'order', row 2: '1' occurs twice"):
        own.events("order,i\n1,a\n", columns, more="    join: [{path: orders.csv, key: order}]\n")


def test_each_value_of_a_cell_becomes_a_row_in_step_with_the_other_cells(own: OwnFiles) -> None:
    columns = (
        "{slate_id: {from: s}, user_id: {value: u}, shown_ts: {value: 2024-05-01}, item_id: {from: ids, split: '|'}, "
        "input_position: {index_of: ids}, label: {equals: chosen}, paid: {from: prices, split: '|'}}"
    )
    facts = {"facts": [{"name": "paid", "dtype": "float32", "description": "price", "nullable": True}]}
    content = "s,ids,prices,chosen\nr,b|a|c,3|1.5|,a\nq,a,7,z\n"
    log = own.slates(content, columns, declaration=facts)
    assert log.query("SELECT slate_id, input_position, item_id, label, paid FROM impressions ORDER BY ALL") == [
        ("q", 0, "a", 0, 7.0), ("r", 0, "b", 0, 3.0), ("r", 1, "a", 1, 1.5), ("r", 2, "c", 0, None),
    ]  # fmt: skip


def test_lists_of_json_are_taken_apart_without_a_separator(own: OwnFiles) -> None:
    lines = "\n".join(json.dumps(row) for row in ({"s": "r", "ids": [3, 1]}, {"s": "q", "ids": [2]}))
    columns = f"{{{SLATE}, item_id: {{from: ids}}, input_position: {{index_of: ids}}}}"
    log = own.slates(lines, columns, name="lists.jsonl")
    assert log.query("SELECT slate_id, item_id, input_position FROM impressions ORDER BY 1, 3") == [
        ("q", "2", 0), ("r", "3", 0), ("r", "1", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "separator"),
    [("a b", " "), ("a   b", " "), ("['a', 'b']", ","), ('[""a"", ""b""]', ","), ("a;b;", ";"), ("a, b", ",")],
)
def test_brackets_quotes_and_spaces_around_values_are_no_part_of_them(own: OwnFiles, cell: str, separator: str) -> None:
    columns = f"{{{SLATE}, item_id: {{from: ids, split: '{separator}'}}}}"
    log = own.slates(f's,ids\nr,"{cell}"\n', columns, more="")
    assert log.column("SELECT item_id FROM impressions ORDER BY 1") == ["a", "b"]


def test_a_list_without_items_is_no_list(own: OwnFiles) -> None:
    columns = f"{{{SLATE}, item_id: {{from: ids, split: '|'}}}}"
    log = own.slates("s,ids\nr,a|b|\nq,\n", columns)
    assert log.query("SELECT slate_id, item_id FROM impressions ORDER BY 2") == [("r", "a"), ("r", "b")]


def test_an_event_without_values_is_one_event_without_an_item(own: OwnFiles) -> None:
    columns = "{event_ts: {value: 2024-05-01}, action: {value: search}, item_id: {from: ids, split: '|'}}"
    log = own.events("ids,x\na|b,1\n,1\n", columns)
    assert log.column("SELECT item_id FROM events ORDER BY 1 NULLS LAST") == ["a", "b", None]


def test_cells_of_different_lengths_are_refused(own: OwnFiles) -> None:
    columns = f"{{{SLATE}, item_id: {{from: ids, split: '|'}}, input_position: {{from: places, split: '|'}}}}"
    with pytest.raises(DatasetError, match=r"lists\.csv, row 2: cells .* different numbers of values: ids 2, places 1"):
        own.slates("s,ids,places\nq,a,0\nr,a|b,0\n", columns)
