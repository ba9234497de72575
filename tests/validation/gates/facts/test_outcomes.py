"""The action of each label, and how much of it is early."""

from datetime import timedelta

from tests.small_log import at, event, impression
from tests.validation.gates.measured import measured

SLATES = 6


def outcomes(minutes: float):
    """Each slate has a candidate with label 3, ordered so many minutes after it, and one with label 1, left alone."""
    impressions = [
        impression(f"l{day}", n, at(day), each, label, session_id=f"s{day}")
        for day in range(1, SLATES + 1)
        for n, (each, label) in enumerate((("a", 3), ("b", 1)))
    ]
    events = [
        event(day, at(day) + timedelta(minutes=minutes), "order", "a", session_id=f"s{day}")
        for day in range(1, SLATES + 1)
    ]
    return measured(events=events, impressions=impressions).outcomes


def test_each_label_has_its_own_action_or_none():
    found = outcomes(1)
    assert [(each.label, each.positives, each.action, each.found, each.early) for each in found.labels] == [
        (1, SLATES, None, 0, 0),
        (3, SLATES, "order", SLATES, 0),
    ]
    assert found.example is None
    assert not found.early.too_many


def test_early_ones_are_counted_as_training_counts_them_and_shown():
    found = outcomes(-30)
    assert (found.early.outcomes, found.early.early, found.early.too_many) == (SLATES, SLATES, True)
    assert str(found.example).startswith("slate_id = l1, item_id = a, label = 3, order at 2024-03-01 23:30:00")
