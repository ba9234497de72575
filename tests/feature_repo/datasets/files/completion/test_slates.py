"""Slates: candidates once, positions, labels."""

from __future__ import annotations

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import SLATES, OwnFiles

HEAD = "slate,user,session,item,at,place,label"
TIME = "2024-05-01T12:00:00Z"
ROWS = "SELECT item_id, input_position, label FROM impressions ORDER BY input_position"


def slates(own: OwnFiles, *rows: str, head: str = HEAD, mapping: str = SLATES) -> object:
    """``rows``: from the item on."""
    text = "\n".join([head, *(f"r,u,s,{row}" for row in rows)])
    return own.log({"slates.csv": text + "\n"}, f"files: {mapping}")


def test_a_candidate_twice_in_a_slate_keeps_its_first_position_and_highest_label(own: OwnFiles) -> None:
    log = slates(own, f"a,{TIME},0,0", f"b,{TIME},1,1", f"a,{TIME},2,3")
    assert log.query(ROWS) == [("a", 0, 3), ("b", 1, 1)]
    [note] = log.noted("rows merged")
    assert (note.count, note.example) == (1, "slate r, item a")
    assert log.column("SELECT DISTINCT relevant_total FROM impressions") == [2]


def test_positions_that_are_not_0_to_n_1_are_accepted_as_given(own: OwnFiles) -> None:
    log = slates(own, f"a,{TIME},40,0", f"b,{TIME},12,1")
    assert log.query(ROWS) == [("b", 12, 1), ("a", 40, 0)]


def test_a_slate_with_a_missing_or_repeated_position_is_numbered_again(own: OwnFiles) -> None:
    log = slates(own, f"a,{TIME},5,0", f"b,{TIME},,0", f"c,{TIME},3,1")
    assert log.query(ROWS) == [("c", 0, 1), ("a", 1, 0), ("b", 2, 0)]
    assert [(note.count, note.example) for note in log.noted("numbered again")] == [(1, "r")]


def test_without_positions_those_on_the_screen_order_a_slate(own: OwnFiles) -> None:
    mapping = SLATES.replace("input_position", "shown_position")
    log = slates(own, f"a,{TIME},9,0", f"b,{TIME},2,1", mapping=mapping)
    assert log.query("SELECT item_id, input_position, shown_position FROM impressions ORDER BY 2") == [
        ("b", 0, 2),
        ("a", 1, 9),
    ]


def test_without_any_position_the_order_is_shuffled_and_blind_to_labels_and_rows(own: OwnFiles) -> None:
    mapping = SLATES.replace("      input_position: {from: place}\n", "")
    rows = [f"{item},{TIME},,{int(item == 'a')}" for item in "abcdefgh"]
    order = slates(own, *rows, mapping=mapping).column("SELECT item_id FROM impressions ORDER BY input_position")
    flipped = [row[:-1] + ("0" if row[-1] == "1" else "1") for row in reversed(rows)]
    again = slates(own, *flipped, mapping=mapping).column("SELECT item_id FROM impressions ORDER BY input_position")
    assert order == again
    assert sorted(order) == list("abcdefgh") != order


def test_a_blank_label_is_0(own: OwnFiles) -> None:
    log = slates(own, f"a,{TIME},0,", f"b,{TIME},1,1")
    assert log.query(ROWS) == [("a", 0, 0), ("b", 1, 1)]
    assert [note.count for note in log.noted("labels taken as 0")] == [1]


def test_labels_that_are_not_given_are_what_the_user_did_within_a_day(own: OwnFiles) -> None:
    """Of a: an order. Of b: a cart before the slate does not count, a view after it does. Of c: a day later."""
    mapping = SLATES.replace("      label: {from: label}\n", "")
    events = (
        "user,session,item,at,action\nu,s,a,2024-05-01T12:10:00Z,view\nu,other,a,2024-05-02T11:59:00Z,order\n"
        "u,s,b,2024-05-01T11:59:00Z,add_to_cart\nx,s2,b,2024-05-01T12:30:00Z,order\nu,s,b,2024-05-01T12:00:00Z,view\n"
        "u,s,c,2024-05-02T12:00:00Z,order\nu,s,d,2024-05-01T12:20:00Z,like\n"
    )
    columns = (
        "{user_id: {from: user}, session_id: {from: session}, item_id: {from: item}, event_ts: {from: at}, "
        "action: {from: action}}"
    )
    rows = "".join(f"r,u,s,{item},{TIME},{place},\n" for place, item in enumerate("abcde"))
    log = own.log(
        {"slates.csv": f"{HEAD}\n{rows}", "events.csv": events},
        f"files: {mapping}\n  - {{table: events, path: events.csv, columns: {columns}}}",
    )
    assert log.query(ROWS) == [("a", 0, 3), ("b", 1, 1), ("c", 2, 0), ("d", 3, 2), ("e", 4, 0)]
    assert [note.count for note in log.noted("positive labels made of events")] == [3]


def test_relevant_total_is_the_positives_unless_it_is_given(own: OwnFiles) -> None:
    mapping = SLATES + "      relevant_total: {from: wanted}\n"
    log = slates(own, f"a,{TIME},0,1,4", f"b,{TIME},1,0,4", head=HEAD + ",wanted", mapping=mapping)
    assert log.column("SELECT relevant_total FROM impressions") == [4, 4]
    with pytest.raises(
        DatasetError, match=r"slates\.csv, column 'relevant_total', row 1: .*below the slate's positives"
    ):
        slates(own, f"a,{TIME},0,1,1", f"b,{TIME},1,1,1", head=HEAD + ",wanted", mapping=mapping)


def test_a_slate_of_two_times_is_refused_with_its_row(own: OwnFiles) -> None:
    with pytest.raises(
        DatasetError, match=r"slates\.csv, column 'shown_ts', row 2: slate 'r': .* differs within its slate"
    ):
        slates(own, f"a,{TIME},0,1", "b,2024-05-01T13:00:00Z,1,1")


def test_a_candidate_without_an_item_is_refused(own: OwnFiles) -> None:
    with pytest.raises(
        DatasetError, match=r"column 'item_id', row 1: null is not allowed \(1 rows\); map it, or leave"
    ):
        slates(own, f",{TIME},0,1")


def test_files_without_lists_are_refused_with_the_way_out(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, event_ts: {value: 2024-05-01}, action: {value: order}}"
    with pytest.raises(DatasetError, match=r"nothing says which lists were shown\. .* slates: \{targets: \[order\]\}"):
        own.log({"e.csv": "i\na\n"}, f"files: [{{table: events, path: e.csv, columns: {columns}}}]")
