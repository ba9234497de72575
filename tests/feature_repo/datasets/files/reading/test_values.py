"""How one column of the log is made: maps, thresholds, constants, parts, arithmetic."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles

SLATE = "slate_id: {value: r}, user_id: {value: u}, shown_ts: {value: 2024-05-01}"
EVENT = "event_ts: {value: 2024-05-01}"


def labels(own: OwnFiles, content: str, label: str, **more: str) -> list[tuple[str, int]]:
    columns = f"{{{SLATE}, item_id: {{from: i}}, label: {label}}}"
    return own.slates(content, columns, **more).query("SELECT item_id, label FROM impressions ORDER BY item_id")  # type: ignore[return-value]


def test_a_map_names_values_and_rows_that_it_does_not_name_are_dropped_and_counted(own: OwnFiles) -> None:
    columns = f"{{{EVENT}, item_id: {{from: i}}, action: {{from: a, map: {{buy: order, see: view}}}}}}"
    log = own.events("i,a\na,buy\nb,see\nc,ship\nd,ship\ne,\n", columns)
    assert log.query("SELECT item_id, action FROM events ORDER BY item_id") == [("a", "order"), ("b", "view")]
    [note] = log.noted("rows dropped")
    assert (note.table, note.count, note.example) == ("events", 3, "action: ship (2), action: blank (1)")
    assert note.why == "the mapping has no action for it (events.csv)"


def test_a_map_may_name_what_is_blank(own: OwnFiles) -> None:
    assert labels(own, "i,c\na,buy\nb,\n", "{from: c, map: {buy: 1, '': 0}}") == [("a", 1), ("b", 0)]


def test_thresholds_grade_a_number_and_below_all_it_is_0(own: OwnFiles) -> None:
    content = "i,stars\na,5.0\nb,4.5\nc,4\nd,3.5\ne,0.5\n"
    assert labels(own, content, "{from: stars, at_least: {3: 1, 4: 2, 5: 3}}") == [
        ("a", 3), ("b", 2), ("c", 2), ("d", 1), ("e", 0),
    ]  # fmt: skip


def test_thresholds_of_actions_drop_what_is_below_all(own: OwnFiles) -> None:
    columns = f"{{{EVENT}, item_id: {{from: i}}, action: {{from: s, at_least: {{4: like, 2: view}}}}}}"
    log = own.events("i,s\na,4.5\nb,2\nc,1\n", columns)
    assert log.query("SELECT item_id, action FROM events ORDER BY item_id") == [("a", "like"), ("b", "view")]
    assert [(note.count, note.example) for note in log.noted("rows dropped")] == [(1, "action: 1 (1)")]


def test_a_label_of_the_item_that_was_chosen_compares_ids_as_text(own: OwnFiles) -> None:
    assert labels(own, "i,chosen\n34,34.0\n35,34.0\n36,\n", "{equals: chosen}") == [("34", 1), ("35", 0), ("36", 0)]


def test_true_and_false_are_1_and_0(own: OwnFiles) -> None:
    assert labels(own, "i,c\na,True\nb,False\n", "{from: c}") == [("a", 1), ("b", 0)]


def test_a_key_of_several_parts_is_joined_and_null_where_a_part_is(own: OwnFiles) -> None:
    columns = f"{{{EVENT}, session_id: {{from: [day, user]}}, item_id: {{from: i}}, action: {{value: view}}}}"
    log = own.events("day,user,i\nmon,7,a\nmon,,b\n", columns)
    assert log.query("SELECT item_id, session_id FROM events ORDER BY item_id")[0] == ("a", "mon|7")
    assert log.column("SELECT session_id LIKE 'event-%' FROM events WHERE item_id = 'b'") == [True]


def test_one_part_of_a_value_is_cut_out(own: OwnFiles) -> None:
    columns = f"{{{SLATE}, item_id: {{from: x, cut: '-'}}, label: {{from: x, cut: '-', part: -1}}}}"
    log = own.slates("x\nN1-0\nN2-1\n", columns)
    assert log.query("SELECT item_id, label FROM impressions ORDER BY item_id") == [("N1", 0), ("N2", 1)]


def test_scale_changes_the_unit_and_decimal_the_comma(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, price: {from: cents, scale: 0.01}, old_price: {from: euro}}"
    more = f"  - table: items\n    path: items.csv\n    format: {{decimal: ','}}\n    columns: {columns}\n"
    own.write({"items.csv": "i;cents;euro\na;1999;1.234,50\n"}, "{}")
    log = own.slates("i,c\na,1\n", f"{{{SLATE}, item_id: {{from: i}}, label: {{from: c}}}}", more=more)
    assert log.query("SELECT price, old_price FROM items") == [(Decimal("19.99"), Decimal("1234.50"))]


def test_positions_from_1_are_taken_by_minus_1(own: OwnFiles) -> None:
    columns = f"{{{SLATE}, item_id: {{from: i}}, label: {{value: 1}}, input_position: {{from: p, minus: 1}}}}"
    log = own.slates("i,p\na,1\nb,2\nc,3\n", columns)
    assert log.query("SELECT item_id, input_position FROM impressions ORDER BY 1") == [("a", 0), ("b", 1), ("c", 2)]


@pytest.mark.parametrize(
    ("label", "value", "problem"),
    [
        (
            "{from: c}",
            "5",
            r"column 'c \(label\)', row 1: '5' is not at most 4; grades of a rating are made by at_least",
        ),
        ("{from: c}", "4.5", r"'4\.5' is not whole; grades of a rating are made by at_least"),
        ("{from: c}", "-1", "'-1' is not at least 0"),
        ("{from: c}", "clicked", "'clicked' cannot be a int32"),
        ("{from: c, map: {1: 7}}", "1", "'7' is not at most 4"),
        ("{}", "1", "label needs one of from, value, equals, index_of"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_the_way_out(
    own: OwnFiles, label: str, value: str, problem: str
) -> None:
    with pytest.raises(DatasetError, match=problem):
        labels(own, f"i,c\na,{value}\n", label)


def test_an_action_that_is_not_known_is_refused_with_those_that_are(own: OwnFiles) -> None:
    columns = f"{{{EVENT}, item_id: {{from: i}}, action: {{from: a}}}}"
    with pytest.raises(
        DatasetError, match=r"'buy' is not one of impression, view, like, .*; in a mapping, map names them"
    ):
        own.events("i,a\na,buy\n", columns)


def test_all_columns_of_all_files_that_are_wrong_are_named_at_once(own: OwnFiles) -> None:
    own.write({"items.csv": "i,p\na,dear\n"}, "{}")
    more = "  - {table: items, path: items.csv, columns: {item_id: {from: i}, price: {from: p}}}\n"
    columns = f"{{{SLATE}, item_id: {{from: i}}, label: {{from: c}}, input_position: {{from: p}}}}"
    with pytest.raises(DatasetError) as refusal:
        own.slates("i,c,p\na,1,0\nb,9,-1\n", columns, more=more)
    said = str(refusal.value)
    assert said.startswith("3 problems:")
    assert "lists.csv, column 'c (label)', row 2: '9'" in said
    assert "lists.csv, column 'p (input_position)', row 2: '-1'" in said
    assert "items.csv, column 'p (price)', row 1: 'dear' cannot be a money" in said
