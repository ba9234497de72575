"""Labels from which nothing can be learnt, or too much."""

from datetime import timedelta

from tests.small_log import at, event, impression, item
from tests.validation.gates.measured import broken
from validation.gates.rules.label_rules import label_rules

NEVER = "blocking impressions.label: above 0 in at least one row"
TRAIN = "blocking impressions.label: above 0 in a slate of train"
EARLY = "warning impressions.label: its outcome is not before the slate (at least 90% of positives with an outcome)"


def log(positive: set[int], slates: int = 10, minutes: float = 5):
    """A slate a day; those in ``positive`` have a positive, which is ordered so many minutes later."""
    impressions = [
        impression(f"l{n}", i, at(n), each, int(i == 0 and n in positive), session_id=f"s{n}")
        for n in range(slates)
        for i, each in enumerate("ab")
    ]
    events = [event(n, at(n) + timedelta(minutes=minutes), "order", "a", session_id=f"s{n}") for n in sorted(positive)]
    return broken(label_rules(), [item("a"), item("b")], events, impressions)


def test_labels_from_which_something_can_be_learnt_break_no_rule():
    assert log({0, 4, 9}) == {}


def test_labels_that_never_are_positive_are_blocked_by_one_rule():
    assert log(set()) == {NEVER: "all 20 rows of 10 slates have the label 0"}


def test_positives_of_the_last_days_only_leave_nothing_to_learn_from():
    found = log({7, 9})
    assert found == {
        TRAIN: "no slate of train has a positive: train 7 slates, 0 with one, validation 1 slates, 1 with one, "
        "test 2 slates, 1 with one"
    }


def test_an_empty_log_breaks_none_of_them():
    assert log(set(), slates=0) == {}


def test_outcomes_before_their_slates_are_named_with_their_share_and_an_example():
    (found,) = log(set(range(8)), minutes=-30).items()
    assert found[0] == EARLY
    assert found[1].startswith(
        "8 of 8 positives (100%) have their outcome before their slate and none at or after it; slate_id = l0"
    )


def test_four_early_outcomes_of_a_small_log_are_left_alone():
    assert log(set(range(4)), minutes=-30) == {}
