"""Ids that do not fit together: what blocks, what is a warning, and what is left alone."""

import pytest

from tests.small_log import at, event, impression, item
from tests.validation.gates.measured import broken
from validation.gates.rules.id_rules import id_rules
from validation.gates.rules.thresholds import MAX_SESSION_USERS, MIN_IDS

USERS = "blocking impressions.user_id: written as in events"
FEW_USERS = "warning impressions.user_id: at least 10% of its users have events"
SESSIONS = "blocking impressions.session_id: written as in events"
FEW_SESSIONS = "warning impressions.session_id: at least 10% of its sessions have events"
ITEMS = [item("a")]


def log(shown: list[str], acted: list[str], column: str = "user_id"):
    """A slate and an event for each id of the column. Two ids of users in a row share a session, in both tables."""

    def ids(number: int, each: str) -> dict[str, str]:
        return {"session_id": f"t{number // 2}", column: each}

    impressions = [impression(f"l{n}", 0, at(1, n), "a", **ids(n, each)) for n, each in enumerate(shown)]
    events = [event(n, at(0, n), "view", "a", **ids(n, each)) for n, each in enumerate(acted)]
    return broken(id_rules(), ITEMS, events, impressions)


def numbered(prefix: str, count: int, suffix: str = "") -> list[str]:
    return [f"{prefix}{n}{suffix}" for n in range(count)]


def test_ids_that_fit_together_break_no_rule():
    assert log(numbered("", 30), numbered("", 60)) == {}


def test_users_of_whom_none_has_an_event_are_blocked_with_the_measured_share():
    found = log(numbered("u", MIN_IDS), numbered("v", MIN_IDS, "x"))
    assert list(found) == [USERS]
    assert found[USERS].startswith(
        "0 of 20 users of impressions (0.0%) are among the 20 of events; only in impressions: "
    )


def test_a_mismatch_by_a_trailing_zero_is_blocked_even_in_a_small_log_and_named():
    found = log(["34", "35", "36"], ["34.0", "35.0", "36.0"])
    assert list(found) == [USERS]
    assert "3 more would match without regard to a trailing '.0' ('34' and '34.0')" in found[USERS]


def test_a_mismatch_that_two_ids_happen_to_share_is_blocked_too():
    """A missing user is 'nan' on both sides."""
    found = log([*numbered("", 40), "nan"], [*numbered("", 40, ".0"), "nan"])
    assert USERS in found
    assert "40 more would match" in found[USERS]


def test_a_few_other_users_in_a_small_log_are_no_mismatch():
    assert log(numbered("u", MIN_IDS - 1), numbered("v", 60, "x")) == {}


def test_a_text_before_the_number_blocks_a_few_ids_not_by_chance():
    assert log(numbered("a", 5), numbered("b", 5)) == {}


def test_little_overlap_is_a_warning_with_its_share():
    found = log(numbered("u", 100), [*numbered("v", 50, "x"), "u0", "u1"])
    assert list(found) == [FEW_USERS]
    assert found[FEW_USERS].startswith("2 of 100 users of impressions (2.0%) are among the 52 of events")


def test_an_empty_table_of_events_is_no_mismatch():
    assert log(numbered("u", 100), []) == {}


def test_sessions_may_be_made_anew_so_that_none_is_shared_and_that_is_a_warning():
    assert list(log(numbered("s", 50), numbered("t", 50, "x"), "session_id")) == [FEW_SESSIONS]


def test_sessions_that_are_written_in_two_ways_are_blocked():
    assert list(log(numbered("S", 50), numbered("s", 50), "session_id")) == [SESSIONS]


def test_items_that_are_written_otherwise_than_in_the_catalog_are_blocked():
    items = [item(each) for each in numbered("", 30, ".0")]
    impressions = [impression("l", n, at(1), each) for n, each in enumerate(numbered("", 30))]
    found = broken(id_rules(), items, [], impressions)
    assert list(found) == ["blocking impressions.item_id: written as in items"]


@pytest.mark.parametrize("text", ["nan", "None", "NULL", " nan ", "<NA>"])
def test_the_text_of_a_missing_user_is_a_warning(text):
    found = log(["u", text], ["u", text])
    assert [title.split(" (")[0] for title in found] == [
        "warning events.user_id: an id, not the text of a missing one",
        "warning impressions.user_id: an id, not the text of a missing one",
    ]


def test_names_that_only_begin_like_a_missing_id_are_ids():
    assert log(["nancy", "nonesuch"], ["nancy", "nonesuch"]) == {}


def test_one_session_of_many_users_is_a_warning_that_names_it():
    events = [event(n, at(), "view", "a", user_id=f"u{n}") for n in range(MAX_SESSION_USERS + 1)]
    (found,) = broken(id_rules(), ITEMS, events, []).items()
    assert found == ("warning events.session_id: of at most 5 users", "1 of 1 sessions; 's' has 6 users")
    assert broken(id_rules(), ITEMS, events[1:], []) == {}
