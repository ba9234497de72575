"""Ids that are made of what the rows say."""

from __future__ import annotations

import re

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles

EVENTS = (
    "{user_id: {from: u}, item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: order}, "
    "quantity: {from: q}}"
)


def test_the_same_rows_get_the_same_event_ids_again_and_another_row_changes_none(own: OwnFiles) -> None:
    ids = "SELECT item_id, event_id FROM events ORDER BY ALL"
    first = dict(own.events("u,i,t,q\n1,a,1714560000,1\n1,b,1714560000,1\n", EVENTS).query(ids))
    again = dict(own.events("i,t,q,u\nc,1714560001,1,1\nb,1714560000,1,1\na,1714560000,1,1\n", EVENTS).query(ids))
    assert {item: again[item] for item in ("a", "b")} == first
    assert len(set(again.values())) == 3
    assert all(re.fullmatch("[0-9a-f]{20}", each) for each in again.values())


def test_events_that_repeat_another_one_are_kept_with_a_number(own: OwnFiles) -> None:
    log = own.events("u,i,t,q\n1,a,1714560000,1\n1,a,1714560000,1\n1,a,1714560000,1\n1,a,1714560000,2\n", EVENTS)
    ids = sorted(log.column("SELECT event_id FROM events WHERE quantity = 1"))
    assert ids == [ids[0], f"{ids[0]}-2", f"{ids[0]}-3"]
    assert [(note.count, note.table) for note in log.noted("rows kept that repeat")] == [(2, "events")]


def test_an_event_id_of_the_source_stays_and_may_occur_once(own: OwnFiles) -> None:
    columns = "{event_id: {from: e}, item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
    assert own.events("e,i,t\n7,a,1714560000\n", columns).column("SELECT event_id FROM events") == ["7"]
    with pytest.raises(DatasetError, match=r"events\.csv, column 'event_id', row 2: the key 7 occurs twice"):
        own.events("e,i,t\n7,a,1714560000\n7,b,1714560001\n", columns)


def test_the_rows_of_one_user_session_and_time_are_one_slate(own: OwnFiles) -> None:
    columns = "{user_id: {from: u}, item_id: {from: i}, shown_ts: {from: t, unit: s}, label: {value: 0}}"
    log = own.slates("u,i,t\n1,a,1714560000\n1,b,1714560000\n2,a,1714560000\n1,a,1714560001\n", columns)
    found = log.query(
        "SELECT user_id, list(item_id ORDER BY item_id) FROM impressions GROUP BY slate_id, user_id ORDER BY ALL"
    )
    assert found == [("1", ["a"]), ("1", ["a", "b"]), ("2", ["a"])]
    assert [note.count for note in log.noted("slates given an id")] == [3]


def test_a_list_of_which_nothing_tells_the_rows_is_refused(own: OwnFiles) -> None:
    with pytest.raises(
        DatasetError, match=r"column 'slate_id', row 1: .*map slate_id, or user_id, session_id or shown_ts"
    ):
        own.slates("i,c\na,1\n", "{item_id: {from: i}, label: {from: c}}")
