"""The share of positives by position."""

from tests.small_log import at, impression
from tests.validation.gates.measured import measured


def test_positions_are_grouped_from_ten_on_and_counted():
    rows = [impression("l", i, at(), f"i{i}", int(i in (0, 11, 12))) for i in range(17)]
    rows += [impression("m", 0, at(), "i0", 0)]
    found = measured(impressions=rows).positions("input_position")
    assert [(p.first, p.last, p.rows, p.positives) for p in found][:2] == [(0, 0, 2, 1), (1, 1, 1, 0)]
    assert [(p.first, p.last, p.rows, p.positives) for p in found][-2:] == [(10, 14, 5, 2), (15, 16, 2, 0)]
    assert found[0].share == 0.5


def test_rows_without_a_position_are_left_out():
    rows = [impression("l", 0, at(), "a", 1, shown_position=3), impression("l", 1, at(), "b", 0)]
    (found,) = measured(impressions=rows).positions("shown_position")
    assert (found.first, found.rows, found.positives) == (3, 1, 1)
    assert measured().positions("input_position") == []
