"""What two tables share, counted by hand, and the simple changes by which ids would match."""

import pytest

from tests.small_log import at, event, impression
from tests.validation.gates.measured import measured


def users(shown: list[str], acted: list[str]):
    impressions = [impression(f"l{i}", 0, at(1), "a", user_id=user) for i, user in enumerate(shown)]
    events = [event(i, at(), "view", "a", user_id=user) for i, user in enumerate(acted)]
    return measured(events=events, impressions=impressions).overlap("user_id", "impressions", "events")


def test_ids_and_rows_are_counted_on_both_sides():
    found = users(["u", "u", "v", "w"], ["u", "x", "x", "x", "y"])
    assert (found.left.ids, found.right.ids, found.shared) == (3, 3, 1)
    assert (found.left.rows, found.left.matched_rows) == (4, 2)
    assert (found.right.rows, found.right.matched_rows) == (5, 1)
    assert found.left.unmatched == ("v", "w")
    assert found.right.unmatched == ("x", "y")  # the most frequent first


@pytest.mark.parametrize(
    ("shown", "acted", "named"),
    [
        ("34", "34.0", "a trailing '.0'"),
        ("Anna", "anna", "upper and lower case"),
        ("34", " 34\t", "blanks around the id"),
        ("34", "0034", "leading zeros"),
        ("34", '"34"', "quotation marks"),
        ("0Anna", " anna.0 ", "blanks, quotation marks, case"),
        ("34", "user_34", "the text before the number"),
    ],
)
def test_a_simple_change_by_which_ids_would_match_is_named_with_a_pair(shown, acted, named):
    found = users([shown, "z"], [acted, "y"]).hint
    assert found is not None
    assert named in found.form.text
    assert found.matched == 1
    assert str(found) == f"1 more would match without regard to {found.form.text} ('{shown}' and '{acted}')"


def test_only_a_change_of_the_text_before_a_number_may_match_by_chance():
    sure = users(["34"], ["34.0"]).hint
    chance = users(["a34"], ["b34"]).hint
    assert sure is not None
    assert sure.form.sure
    assert chance is not None
    assert not chance.form.sure


def test_ids_that_no_change_matches_have_no_hint():
    assert users(["abc", "def"], ["xyz"]).hint is None


def test_a_change_that_hardly_any_of_the_others_need_is_no_hint():
    assert users([*(f"x{letter}" for letter in "bcdefghijkl"), "A"], ["a"]).hint is None


def test_empty_tables_share_nothing():
    found = users([], ["u"])
    assert not found.known
    assert (found.shared, found.hint) == (0, None)
