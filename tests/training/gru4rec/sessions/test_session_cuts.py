"""Cutting and filtering sessions, on logs small enough to check by hand."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.gru4rec.errors import SplitError
from training.gru4rec.sessions.session_cuts import Log, cut_at_gaps, in_time_order, supported, without_repeats
from training.gru4rec.sessions.sources import Clicks
from training.gru4rec.sessions.split import DAY_US, Boundaries, split_by_time
from training.gru4rec.sessions.vocabulary import known_part, number_items

MINUTE = 60_000_000


def clicks(rows, are_sessions=False):
    """rows: (owner, item, minute)"""
    owner, item, minute = (np.array(column) for column in zip(*rows, strict=True))
    names = pa.array([f"n{i}" for i in range(100)])
    return Clicks(owner.astype(np.int32), item.astype(np.int32), minute * MINUTE, names, names, are_sessions)


def log(*sessions):
    """Each session is (first minute, items), one item per minute."""
    rows = [(i, item, begin + k) for i, (begin, items) in enumerate(sessions) for k, item in enumerate(items)]
    return cut_at_gaps(clicks(rows, are_sessions=True), 0)


def items_of(found: Log) -> list[list[int]]:
    cuts = np.flatnonzero(np.diff(found.session)) + 1
    return [part.tolist() for part in np.split(found.item, cuts)] if len(found) else []


def test_a_session_ends_at_a_gap_or_with_its_user():
    rows = [(0, 1, 0), (0, 2, 30), (0, 3, 61), (1, 4, 62), (1, 5, 63)]
    found = cut_at_gaps(clicks(rows), 30 * MINUTE)
    assert items_of(found) == [[1, 2], [3], [4, 5]]
    assert found.number.tolist() == [0, 0, 1, 0, 0]


def test_sessions_of_the_source_are_never_cut():
    assert items_of(cut_at_gaps(clicks([(0, 1, 0), (0, 2, 9999)], are_sessions=True), MINUTE)) == [[1, 2]]


def test_of_equal_items_in_a_row_only_the_first_stays_within_a_session():
    assert items_of(without_repeats(log((0, [7, 7, 8, 7, 7, 7]), (20, [7, 9])))) == [[7, 8, 7], [7, 9]]


def test_filters_repeat_until_nothing_is_dropped():
    # 3 and 4 are rare. Without 3 the third session is too short, and without this session 2 is rare.
    found, rounds = supported(log((0, [1, 5]), (10, [1, 5, 2]), (20, [2, 3]), (30, [1, 4, 5])), 2, 2, False)
    assert items_of(found) == [[1, 5], [1, 5], [1, 5]]
    assert rounds == 3


def test_repeats_that_a_filter_causes_are_dropped_if_repeats_are_dropped():
    sessions = [(0, [1, 9, 1, 2]), (10, [1, 2]), (20, [1, 9, 1])]
    found, _ = supported(log(*sessions), 2, 3, True)
    assert items_of(found) == []  # without 9 the last session is a single 1, and then 1 and 2 are rare
    found, _ = supported(log(*sessions), 2, 3, False)
    assert items_of(found) == [[1, 1], [1, 1]]


@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=7), max_size=12), st.integers(1, 4))
def test_after_the_filters_all_rules_hold_at_once(sessions, min_item):
    if not sessions:
        return
    found, _ = supported(log(*((100 * i, items) for i, items in enumerate(sessions))), 2, min_item, True)
    left = items_of(found)
    assert all(len(items) >= 2 for items in left)
    assert all(a != b for items in left for a, b in pairwise(items))
    counts = np.bincount(np.array([item for items in left for item in items], np.int64))
    assert all(count == 0 or count >= min_item for count in counts)


def test_sorting_by_time_keeps_sessions_contiguous():
    found = in_time_order(log((50, [1, 2]), (10, [3, 4]), (10, [5, 6])))
    assert items_of(found) == [[3, 4], [5, 6], [1, 2]]


DAYS = 24 * 60


def test_a_session_belongs_to_the_split_in_which_it_begins_and_is_cut_at_the_boundary():
    whole = log((0, [1, 2]), (2 * DAYS - 1, [3, 4]), (3 * DAYS - 1, [5, 6]), (4 * DAYS, [7, 8]))
    boundaries = Boundaries(2 * DAY_US, 3 * DAY_US)
    train, val, test = (items_of(part) for part in split_by_time(whole, boundaries))
    assert (train, val, test) == ([[1, 2], [3]], [[5]], [[7, 8]])


def test_events_after_a_boundary_do_not_change_the_split_before_it():
    early = [(0, [1, 2, 3]), (DAYS, [2, 3, 4]), (DAYS + 100, [9, 9, 1])]
    boundaries = Boundaries(2 * DAY_US, 2 * DAY_US)
    late = [[(2 * DAYS, [1, 1, 9, 9])], [(2 * DAYS + 5, [4, 4, 9])]]
    trains = [supported(split_by_time(log(*early, *more), boundaries)[0], 2, 2, True)[0] for more in late]
    assert items_of(trains[0]) == items_of(trains[1]) != []


def test_days_count_back_from_the_last_event():
    assert Boundaries.before(10 * DAY_US, 2, 0.5) == Boundaries(round(7.5 * DAY_US), 8 * DAY_US)


def test_the_error_of_an_empty_train_split_names_the_span_of_the_log():
    with pytest.raises(SplitError, match=r"train is empty: the log spans 1\.0 days"):
        split_by_time(log((0, [1, 2]), (DAYS - 1, [3, 4])), Boundaries(-1, -1))


def test_items_are_numbered_by_descending_support_then_by_id_and_the_rest_is_unseen():
    ids = pa.array(["d", "c", "b", "a"])
    numbers = number_items(log((0, [0, 2, 0]), (10, [1, 2])), ids)
    assert numbers.vocabulary().items == ("b", "d", "c")
    assert numbers.counts.tolist() == [2, 2, 1]
    assert numbers.index.tolist() == [1, 2, 0, -1]


def test_unseen_items_are_dropped_from_test_with_the_repeats_and_short_sessions_they_cause():
    numbers = number_items(log((0, [0, 1])), pa.array(["a", "b", "c"]))
    later = log((20, [0, 2, 0, 1]), (30, [2, 0]), (40, [1, 2, 0]))
    assert items_of(known_part(later, numbers, 2, drop_repeats=True)) == [[0, 1], [1, 0]]
    assert items_of(known_part(later, numbers, 2, drop_repeats=False)) == [[0, 0, 1], [1, 0]]
