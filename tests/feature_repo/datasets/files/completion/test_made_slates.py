"""Slates made of the events of files without lists, on a log of five days worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles, OwnLog

MAY = datetime(2024, 5, 1, 10, tzinfo=UTC)
COLUMNS = "{user_id: {from: u}, item_id: {from: i}, event_ts: {from: t}, action: {from: a}}"
# (user, item, day, minutes after 10:00, action). Nobody comes twice. The slates' days are the second and the third:
# the first is history, and labels of the fourth are known a day after it ended.
ACTS = [
    ("p", "a", 1, 0, "order"),
    ("q", "a", 1, 0, "order"),
    ("q", "b", 1, 1, "order"),
    ("r", "c", 2, 0, "view"),
    ("r", "a", 2, 5, "order"),
    ("s", "d", 3, 0, "view"),
    ("s", "z", 3, 5, "order"),
    ("v", "a", 3, 0, "view"),
    ("w", "a", 4, 0, "order"),
    ("x", "a", 5, 0, "order"),
]


def log_of(
    own: OwnFiles, slates: str = "{warm_up_days: 1}", acts: list[tuple[str, str, int, int, str]] = ACTS
) -> OwnLog:
    rows = "".join(
        f"{user},{item},{(MAY + timedelta(days=day - 1, minutes=minute)).isoformat()},{action}\n"
        for user, item, day, minute, action in acts
    )
    files = f"files: [{{table: events, path: e.csv, columns: {COLUMNS}}}]\nslates: {slates}\n"
    return own.log({"e.csv": f"u,i,t,a\n{rows}"}, files)


SLATES = """
    SELECT user_id, date_diff('minute', TIMESTAMPTZ '2024-05-01 10:00+00', any_value(shown_ts)) % 1440,
        list(item_id ORDER BY item_id), list(item_id) FILTER (label = 1), any_value(relevant_total)
    FROM impressions GROUP BY slate_id, user_id ORDER BY user_id
"""


def test_a_session_with_something_to_predict_gets_a_slate_of_what_was_known_before(own: OwnFiles) -> None:
    """Both have one session, without categories and shops: the popular items, and what the session touched before."""
    log = log_of(own)
    [r, s] = log.query(SLATES)
    assert r == ("r", r[1], ["a", "b", "c"] if r[1] == 5 else ["a", "b"], ["a"], 1)
    assert s == ("s", s[1], ["a", "b", "d"] if s[1] == 5 else ["a", "b"], None, 1)
    assert {r[1], s[1]} <= {0, 5}
    sessions = log.query("SELECT count(*) FROM impressions p SEMI JOIN events e USING (user_id, session_id)")
    assert sessions == log.query("SELECT count(*) FROM impressions")


def test_the_coverage_and_its_limits_are_noted(own: OwnFiles) -> None:
    log = log_of(own)
    [made] = log.noted("slates made from events")
    assert (made.table, made.count) == ("impressions", 2)
    assert "they hold 50% of the 2 items that were wanted" in made.why
    assert "shop 50%" in made.why
    [limits] = log.noted("sessions that got a slate, which are few to learn from")
    assert limits.why.startswith(
        "of 7 sessions 2 are in the first 1 days (warm_up_days), 2 begin too late for 24 hours of labels "
        "(label_hours), 1 are of users without any order (targets), and a day has at most 240 slates (per_day)"
    )


def test_other_targets_are_other_labels_and_other_bestsellers(own: OwnFiles) -> None:
    """Of views: c was viewed the day before s and v come. Nothing was when r came, and a slate of nothing is none."""
    found = log_of(own, "{warm_up_days: 1, targets: [view]}").query(
        "SELECT user_id, item_id, label, relevant_total FROM impressions ORDER BY 1"
    )
    assert found == [("s", "c", 0, 1), ("v", "c", 0, 1)]


def test_targets_may_be_several(own: OwnFiles) -> None:
    log = log_of(own, "{warm_up_days: 1, targets: [view, order]}")
    found = {user: (minute, labels) for user, minute, _, labels, _ in log.query(SLATES)}
    assert found["v"] == (0, ["a"])
    assert found["r"][1] == ["a"]


def test_a_log_too_short_for_any_slate_is_refused_with_what_each_limit_leaves(own: OwnFiles) -> None:
    with pytest.raises(DatasetError) as refusal:
        log_of(own, "{warm_up_days: 14}")
    said = str(refusal.value)
    assert "no slate can be made from the events: of 7 sessions 7 are in the first 14 days (warm_up_days)" in said
    assert "section slates of the mapping" in said


def test_a_day_has_at_most_so_many_slates(own: OwnFiles) -> None:
    log = log_of(own, "{warm_up_days: 1, targets: [view, order], per_day: 1}")
    assert log.column("SELECT count(DISTINCT slate_id) FROM impressions GROUP BY shown_ts::DATE") == [1, 1]


def test_labels_over_more_hours_need_more_days_after_the_slate(own: OwnFiles) -> None:
    log = log_of(own, "{warm_up_days: 1, label_hours: 48}")
    assert log.column("SELECT DISTINCT user_id FROM impressions") == ["r"]


def test_an_entry_of_events_is_needed(own: OwnFiles) -> None:
    entry = "{table: items, path: e.csv, columns: {item_id: {from: i}}}"
    with pytest.raises(DatasetError, match=r"makes lists from events, and no entry of log\.files has table: events"):
        own.log({"e.csv": "i\na\n"}, f"files: [{entry}]\nslates: {{}}\n")


def test_what_the_user_had_acted_on_is_left_out_where_asked(own: OwnFiles) -> None:
    """r looked at c before the order of a; d was looked at by s. They leave the slates, and a repeat is no label."""
    acts = [*ACTS, ("r", "b", 1, 30, "view"), ("r", "b", 2, 6, "order")]
    kept = log_of(own, "{warm_up_days: 1, repeats: keep}", acts).query(SLATES)
    assert any("b" in (labels or []) for _, _, _, labels, _ in kept)
    log = log_of(own, "{warm_up_days: 1, repeats: drop}", acts)
    for user, _, items, labels, wanted in log.query(SLATES):
        touched = {"r": {"b", "c"}, "s": {"d"}}[user]
        assert not touched & set(items)
        assert (labels, wanted) == ((["a"], 1) if user == "r" else (None, 1))
    [note] = log.noted("candidates left out that the user had acted on before")
    assert "1 of 8 targets were such an item" in note.why


@pytest.mark.parametrize(("repeats", "dropped"), [(0, True), (20, False)])
def test_where_many_targets_hold_hardly_any_repeat_repeats_are_left_out(
    own: OwnFiles, repeats: int, dropped: bool
) -> None:
    """1,000 people order one item each and look at it before only where they are among the repeating ones."""
    acts = [(f"u{n}", f"i{n % 50}", 1 + n % 4, 60, "order") for n in range(1_000)]
    acts += [(user, item, day, 0, "view") for user, item, day, _, _ in acts[:repeats]]
    acts += [(f"u{n}", f"i{(n + 1) % 50}", 1 + n % 4, 1, "view") for n in range(1_000)]
    log = log_of(own, "{warm_up_days: 1}", acts)
    assert bool(log.noted("candidates left out that the user had acted on before")) is dropped
