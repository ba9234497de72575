"""The slates and their splits, counted by hand."""

from tests.small_log import at, impression
from tests.validation.gates.measured import measured
from validation.gates.facts.time_span import LAST


def slates(sizes: list[int], positive: set[int] = frozenset(), **fields):
    """Slate n has ``sizes[n]`` candidates at day n; its first one has the label 2 if n is in ``positive``."""
    return [
        impression(f"l{n}", i, at(n), f"i{i}", 2 * (i == 0 and n in positive), user_id=f"u{n % 2}", **fields)
        for n, size in enumerate(sizes)
        for i in range(size)
    ]


def test_slates_are_split_as_training_splits_them():
    """70 % and 85 % of ten slates are at the seventh and the eighth, counted from 0."""
    found = measured(impressions=slates([2] * 10, positive={0, 3, 8})).slates
    assert found is not None
    assert [(s.name, s.slates, s.with_positive, s.rows, s.users) for s in found.splits] == [
        ("train", 7, 2, 14, 2), ("validation", 1, 0, 2, 1), ("test", 2, 1, 4, 2),
    ]  # fmt: skip
    assert [dict(s.labels) for s in found.splits] == [{0: 12, 2: 2}, {0: 2}, {0: 3, 2: 1}]
    assert (found.splits[0].first, found.splits[0].last) == (at(0), at(6))
    assert found.labels == {0: 17, 2: 3}
    assert found.with_positive == 3


def test_a_configured_split_is_taken_and_a_bad_one_named():
    rows = slates([2] * 4)
    cut = {"validation_start": at(1).isoformat(), "test_start": at(2).isoformat()}
    found = measured(impressions=rows, split=cut).slates
    assert found is not None
    assert [split.slates for split in found.splits] == [1, 1, 2]
    assert found.split_problem is None
    bad = measured(impressions=rows, split={"validation_start": "2024-03-02"}).slates
    assert bad is not None
    assert "the parameters, split" in str(bad.split_problem)
    assert sum(split.slates for split in bad.splits) == 4


def test_a_split_without_slates_is_shown_as_empty():
    found = measured(impressions=slates([2])).slates
    assert found is not None
    train = found.splits[0]
    assert (train.slates, train.first, dict(train.labels)) == (0, None, {})


def test_sizes_are_counted_and_grouped_by_doubling_bounds():
    found = measured(impressions=slates([1, 1, 2, 3, 4, 9])).slates
    assert found is not None
    assert found.sizes == (1, 1, 2, 4, 9, 9)
    assert list(found.histogram) == [(1, 2), (2, 2), (4, 1), (8, 1)]
    assert found.one_item == 2


def test_a_slate_with_user_time_and_candidates_of_another_one_is_counted_whatever_its_order():
    one = [impression("l1", i, at(), item) for i, item in enumerate("ab")]
    same = [impression("l2", i, at(), item) for i, item in enumerate("ba")]
    other = [impression("l3", i, at(0, 1), item) for i, item in enumerate("ab")]
    found = measured(impressions=[*one, *same, *other]).slates
    assert found is not None
    assert found.repeated == 1


def test_without_slates_there_is_nothing_to_measure():
    assert measured().slates is None


def test_rows_without_time_or_label_are_left_to_the_rules_on_nulls():
    rows = slates([2, 2])
    rows[0]["shown_ts"], rows[3]["label"] = None, None
    found = measured(impressions=rows).slates
    assert found is not None
    assert found.labels == {0: 2}


def test_slates_of_the_year_55000_are_measured_too():
    """Milliseconds that were read as seconds, say."""
    rows = slates([2, 2])
    for row in rows:
        row["shown_ts"] = int(row["shown_ts"].timestamp()) * 10**9  # µs
    found = measured(impressions=rows).slates
    assert found is not None
    assert found.splits[2].last == LAST
