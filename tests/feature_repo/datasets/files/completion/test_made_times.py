"""Times of a source that has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles

FIRST = datetime(2024, 1, 2, 1, tzinfo=UTC)
COLUMNS = "{slate_id: {from: q}, item_id: {from: i}, label: {from: c}}"
EVENTS = (
    "  - table: events\n    path: lists.csv\n    where: {c: 1}\n"
    "    columns: {%s: {from: q}, item_id: {from: i}, action: {value: order}}\n"
)
LISTS = "q,i,c\n" + "".join(f"{q},{i},{int(i == 'b')}\n" for q in range(8) for i in "ab")


def test_slates_get_a_seeded_random_order_a_minute_apart(own: OwnFiles) -> None:
    times = "SELECT DISTINCT shown_ts, slate_id FROM impressions ORDER BY 1"
    log = own.slates(LISTS, COLUMNS, more="times: made\n")
    found = log.query(times)
    assert [when for when, _ in found] == [FIRST + timedelta(minutes=n) for n in range(8)]
    order = [slate for _, slate in found]
    assert sorted(order) == [str(q) for q in range(8)] != order
    backwards = "q,i,c\n" + "\n".join(reversed(LISTS.splitlines()[1:]))
    assert own.slates(backwards, COLUMNS, more="times: made\n").query(times) == found
    assert [note.count for note in log.noted("given a time in a seeded random order")] == [8]


@pytest.mark.parametrize("link", ["request_id", "session_id"])
def test_an_event_follows_its_slate(own: OwnFiles, link: str) -> None:
    columns = COLUMNS if link == "request_id" else COLUMNS.replace("{slate_id", "{session_id: {from: q}, slate_id")
    log = own.slates(LISTS, columns, more=EVENTS % link + "times: made\n")
    apart = log.query(
        "SELECT DISTINCT event_ts - shown_ts, e.session_id = p.session_id FROM events e JOIN impressions p "
        f"ON p.slate_id = e.{link}"
    )
    assert apart == [(timedelta(seconds=30), True)]


def test_an_event_of_no_slate_is_refused(own: OwnFiles) -> None:
    events = (EVENTS % "request_id").replace("{from: q}", "{value: other}")
    with pytest.raises(DatasetError, match=r"column 'event_ts', row 2: .*an event needs the request_id of a slate"):
        own.slates(LISTS, COLUMNS, more=events + "times: made\n")
