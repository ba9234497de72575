"""Users and sessions where the files have none."""

from __future__ import annotations

from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles

COLUMNS = (
    "{event_id: {from: e}, user_id: {from: u}, session_id: {from: s}, item_id: {value: a}, event_ts: {from: t}, "
    "action: {value: view}}"
)
WHO = "SELECT event_id, user_id, session_id FROM events ORDER BY event_id"


def at(minutes: float) -> str:
    return f"2024-05-01T{10 + int(minutes // 60):02}:{int(minutes % 60):02}:{round(minutes * 60) % 60:02}Z"


def test_the_session_stands_for_a_user_that_is_not_known(own: OwnFiles) -> None:
    log = own.events(f"e,u,s,t\n1,,x,{at(0)}\n2,,x,{at(1)}\n3,7,y,{at(2)}\n", COLUMNS)
    assert log.query(WHO) == [("1", "x", "x"), ("2", "x", "x"), ("3", "7", "y")]
    [note] = log.noted("session stands for the user")
    assert (note.table, note.count) == ("events", 2)


def test_rows_without_a_user_are_dropped_where_the_mapping_says_so(own: OwnFiles) -> None:
    files = {"events.csv": f"e,u,s,t\n1,,x,{at(0)}\n3,7,y,{at(2)}\n", "slates.csv": SLATE}
    log = own.log(
        files, f"anonymous: drop\nfiles: {SLATES}\n  - {{table: events, path: events.csv, columns: {COLUMNS}}}"
    )
    assert log.query(WHO) == [("3", "7", "y")]
    assert [(note.what, note.count) for note in log.notes if note.table == "events"] == [("rows dropped", 1)]


def test_a_row_without_user_and_session_has_a_session_of_its_own(own: OwnFiles) -> None:
    log = own.events(f"e,u,s,t\n1,,,{at(0)}\n2,,,{at(0)}\n", COLUMNS)
    assert log.query(WHO) == [("1", "event-1", "event-1"), ("2", "event-2", "event-2")]


def test_a_slate_without_user_and_session_is_one_session_and_its_events_belong_to_it(own: OwnFiles) -> None:
    slates = "slate_id: {from: r}, item_id: {from: i}, shown_ts: {from: t}"
    entry = (
        "  - table: events\n    path: lists.csv\n    where: {c: 1}\n    columns: {request_id: {from: r}, "
        "item_id: {from: i}, event_ts: {from: t}, action: {value: order}}\n"
    )
    content = f"r,i,t,c\nq,a,{at(0)},1\nq,b,{at(0)},0\np,a,{at(1)},0\n"
    log = own.slates(content, f"{{{slates}, label: {{from: c}}}}", more=entry)
    assert log.query("SELECT DISTINCT slate_id, user_id, session_id FROM impressions ORDER BY 1") == [
        ("p", "slate-p", "slate-p"), ("q", "slate-q", "slate-q"),
    ]  # fmt: skip
    assert log.query("SELECT user_id, session_id, request_id FROM events") == [("slate-q", "slate-q", "q")]


def test_a_session_is_cut_where_a_user_does_nothing_for_more_than_the_gap(own: OwnFiles) -> None:
    rows = "".join(f"{n},{user},,{at(minute)}\n" for n, (user, minute) in enumerate(
        [(7, 0), (7, 30), (7, 61), (8, 45), (7, 90)], start=1
    ))  # fmt: skip
    log = own.events(f"e,u,s,t\n{rows}", COLUMNS)
    ten = 1_714_557_600_000  # 10:00 in milliseconds
    first, second, other = f"7-{ten}", f"7-{ten + 61 * 60_000}", f"8-{ten + 45 * 60_000}"
    assert log.query(WHO) == [
        ("1", "7", first), ("2", "7", first), ("3", "7", second), ("4", "8", other), ("5", "7", second),
    ]  # fmt: skip
    [note] = log.noted("sessions made")
    assert (note.count, note.why) == (3, "none are given: a session ends after 30 minutes without an event or a list")


def test_events_and_slates_are_cut_together_and_the_gap_is_a_setting(own: OwnFiles) -> None:
    files = {
        "events.csv": f"e,u,s,t\n1,u,,{at(0)}\n2,u,,{at(8)}\n",
        "slates.csv": f"slate,user,session,item,at,place,label\nr,u,,a,{at(4)},0,1\nq,u,,a,{at(20)},0,1\n",
    }
    entry = f"\n  - {{table: events, path: events.csv, columns: {COLUMNS}}}"
    log = own.log(files, f"sessions: {{gap_minutes: 5}}\nfiles: {SLATES}{entry}")
    first, second = f"u-{1_714_557_600_000}", f"u-{1_714_557_600_000 + 20 * 60_000}"
    assert log.query(WHO) == [("1", "u", first), ("2", "u", first)]
    assert log.query("SELECT slate_id, session_id FROM impressions ORDER BY 1") == [("q", second), ("r", first)]


def test_a_session_id_of_several_users_is_made_distinct(own: OwnFiles) -> None:
    log = own.events(f"e,u,s,t\n1,7,x,{at(0)}\n2,8,x,{at(1)}\n3,9,y,{at(2)}\n", COLUMNS)
    assert log.query(WHO) == [("1", "7", "x|7"), ("2", "8", "x|8"), ("3", "9", "y")]
    assert [(note.count, note.example) for note in log.noted("session ids made distinct")] == [(1, "x")]


def test_who_logs_in_later_is_not_known_before(own: OwnFiles) -> None:
    log = own.events(f"e,u,s,t\n1,,x,{at(0)}\n2,7,x,{at(1)}\n", COLUMNS)
    assert log.query(WHO) == [("1", "x", "x"), ("2", "7", "x|7")]


def test_a_session_that_has_the_id_of_a_user_is_not_that_user(own: OwnFiles) -> None:
    log = own.events(f"e,u,s,t\n1,,7,{at(0)}\n2,7,8,{at(1)}\n3,,9,{at(1)}\n", COLUMNS)
    assert log.query(WHO) == [("1", "session-7", "7"), ("2", "7", "8"), ("3", "session-9", "9")]
    assert len(log.noted("begin with session-")) == 1
