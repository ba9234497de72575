"""Times of orders of which only the days between them are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles

LAST = datetime(2024, 12, 31, tzinfo=UTC)
LAST_DAYS = {LAST - timedelta(weeks=weeks) for weeks in range(4)}
COLUMNS = (
    "{user_id: {from: u}, session_id: {from: o}, item_id: {from: i}, action: {value: order}, "
    "event_ts: {relative: {per: u, order: n, days: since, hour: h}}}"
)
SLATE_OF_U = SLATE.replace("2024-05-01", "2024-12-01")


def test_the_other_orders_of_a_user_are_so_many_days_before_the_last(own: OwnFiles) -> None:
    """Also over several files: user 7 has orders 1 and 2 in one and 3 in the other."""
    files = {
        "prior.csv": "u,o,n,since,h,i\n7,o1,1,,9,a\n7,o2,2,3.0,14,a\n7,o2,2,3.0,14,b\n8,o9,1,,23,a\n",
        "train.csv": "u,o,n,since,h,i\n7,o3,3,10.0,8,c\n",
        "slates.csv": SLATE_OF_U,
    }
    entry = "\n  - {table: events, path: '*r*i*.csv', columns: " + COLUMNS + "}"
    log = own.log(files, f"files: {SLATES}{entry}")
    found = log.query("SELECT session_id, item_id, event_ts FROM events ORDER BY ALL")
    last = found[3][2] - timedelta(hours=8)
    assert found == [
        ("o1", "a", last - timedelta(days=13) + timedelta(hours=9)),
        ("o2", "a", last - timedelta(days=10) + timedelta(hours=14)),
        ("o2", "b", last - timedelta(days=10) + timedelta(hours=14)),
        ("o3", "c", last + timedelta(hours=8)),
        ("o9", "a", found[4][2]),
    ]
    assert {last, found[4][2] - timedelta(hours=23)} <= LAST_DAYS
    [note] = log.noted("dated from the days between them")
    assert note.count == 2
    assert "trends over all users mean nothing" in note.why


def test_orders_of_one_hour_stay_in_their_order(own: OwnFiles) -> None:
    content = "u,o,n,since,h,i\n7,o1,1,,9,a\n7,o2,2,0,9,a\n7,o3,3,0,9,a\n"
    entry = f"\n  - {{table: events, path: e.csv, columns: {COLUMNS}}}"
    log = own.log({"e.csv": content, "slates.csv": SLATE_OF_U}, f"files: {SLATES}{entry}")
    found = log.query("SELECT session_id, event_ts FROM events ORDER BY 1")
    first = found[0][1]
    assert found == [(f"o{n + 1}", first + timedelta(minutes=n)) for n in range(3)]
    assert first - timedelta(hours=9) in LAST_DAYS


def test_without_an_hour_it_is_noon(own: OwnFiles) -> None:
    columns = COLUMNS.replace(", hour: h", "")
    entry = f"\n  - {{table: events, path: e.csv, columns: {columns}}}"
    log = own.log({"e.csv": "u,o,n,since,i\n7,o1,1,,a\n", "slates.csv": SLATE_OF_U}, f"files: {SLATES}{entry}")
    [found] = log.column("SELECT event_ts FROM events")
    assert found - timedelta(hours=12) in LAST_DAYS


def test_last_orders_are_spread_over_four_weeks_by_user(own: OwnFiles) -> None:
    rows = "".join(f"{user},o{user},1,,9,a\n" for user in range(400))
    entry = f"\n  - {{table: events, path: e.csv, columns: {COLUMNS}}}"
    files = {"e.csv": f"u,o,n,since,h,i\n{rows}", "slates.csv": SLATE_OF_U}
    log = own.log(files, f"files: {SLATES}{entry}")
    found = log.query("SELECT event_ts, count(*) FROM events GROUP BY 1")
    assert {day - timedelta(hours=9) for day, _ in found} == LAST_DAYS
    assert all(60 <= count <= 140 for _, count in found)
