"""Metrics compared with values worked out by hand, and with a slow oracle in plain Python."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cmp_to_key

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.models.ranker import BadGroups
from training.evaluation.metrics import METRICS, BadSlates, RepeatedNdcg, ScoredSlates, slate_metrics

NAN = float("nan")
Row = tuple[float, int]


def slates(*groups: list[Row], totals: list[int] | None = None) -> ScoredSlates:
    rows = [row for group in groups for row in group]
    return ScoredSlates(
        scores=np.array([score for score, _ in rows], dtype=np.float64),
        labels=np.array([label for _, label in rows], dtype=np.int64),
        sizes=np.array([len(group) for group in groups]),
        relevant_total=np.array(totals or [sum(label > 0 for _, label in group) for group in groups]),
    )


def values(*groups: list[Row], totals: list[int] | None = None) -> dict[str, list[float]]:
    return {name: list(v) for name, v in slate_metrics(slates(*groups, totals=totals)).values.items()}


def test_a_perfect_order_scores_one_everywhere() -> None:
    assert values([(3.0, 2), (2.0, 1), (1.0, 0)]) == {name: [1.0] for name in METRICS}


def test_a_positive_at_the_second_position_is_discounted_by_log2_of_three() -> None:
    got = values([(2.0, 0), (1.0, 1)])
    assert got["ndcg@5"] == pytest.approx([1 / math.log2(3)])
    assert got["mrr"] == [0.5]
    assert got["map@10"] == [0.5]
    assert got["recall@25"] == [1.0]


def test_the_gain_of_a_label_is_two_to_the_label_minus_one() -> None:
    # labels in order 1, 0, 3: DCG = 1 + 0 + 7/2; best order 3, 1, 0: 7 + 1/log2(3)
    assert values([(3.0, 1), (2.0, 0), (1.0, 3)])["ndcg@10"] == pytest.approx([4.5 / (7 + 1 / math.log2(3))])


def test_average_precision_divides_by_the_positives_or_by_ten() -> None:
    # hits at positions 1 and 3: (1/1 + 2/3) / 2
    assert values([(3.0, 1), (2.0, 0), (1.0, 1)])["map@10"] == pytest.approx([5 / 6])
    assert values([(-float(i), 1) for i in range(12)])["map@10"] == [1.0]


def test_each_metric_ends_at_its_depth() -> None:
    def one_hit_at(position: int) -> dict[str, list[float]]:
        return values([(-float(i), int(i == position)) for i in range(1, 40)])

    for name, depth in (("ndcg@5", 5), ("ndcg@10", 10), ("ndcg@25", 25), ("map@10", 10), ("recall@25", 25)):
        assert one_hit_at(depth)[name][0] > 0, name
        assert one_hit_at(depth + 1)[name] == [0.0], name
    assert one_hit_at(39)["mrr"] == [1 / 39]


def test_ties_count_against_the_ranker_in_any_row_order() -> None:
    for rows in ([(1.0, 1), (1.0, 0), (1.0, 0)], [(1.0, 0), (1.0, 0), (1.0, 1)]):
        assert values(rows)["mrr"] == [1 / 3]
        assert values(rows)["ndcg@5"] == [0.5]  # 1 / log2(4)


def test_nan_scores_come_last_and_are_tied() -> None:
    got = values([(NAN, 1), (-math.inf, 0), (NAN, 0), (-9.0, 0)])
    assert got["mrr"] == [1 / 4]


def test_a_slate_without_positives_is_undefined_and_counted_and_affects_no_other() -> None:
    groups = slates([(1.0, 0), (2.0, 0)], [(1.0, 1)], totals=[3, 1])
    got = slate_metrics(groups)
    assert got.without_positive == 1
    for name in ("ndcg@5", "ndcg@10", "ndcg@25", "mrr", "map@10"):
        assert math.isnan(got.values[name][0]), name
        assert got.values[name][1] == 1.0, name
    assert list(got.values["recall@25"]) == [0.0, 1.0]


def test_recall_divides_by_all_items_the_user_wanted() -> None:
    got = values([(1.0, 1), (2.0, 1)], [(1.0, 0)], totals=[8, 0])["recall@25"]
    assert got[0] == 0.25
    assert math.isnan(got[1])


def test_sizes_that_do_not_sum_to_the_rows_are_refused() -> None:
    good = slates([(1.0, 1), (2.0, 0)])
    with pytest.raises(BadGroups, match="sum to 3, but there are 2 rows"):
        replace(good, sizes=np.array([3]))
    with pytest.raises(BadGroups, match="group 1 has size 0"):
        replace(good, sizes=np.array([2, 0]), relevant_total=np.array([1, 0]))
    with pytest.raises(BadGroups, match="non-empty"):
        ScoredSlates(np.empty(0), np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0, dtype=int))


def test_labels_and_totals_that_do_not_fit_are_refused_and_named() -> None:
    good = slates([(1.0, 1), (2.0, 0)], [(1.0, 1)])
    with pytest.raises(BadSlates, match="3 scores, but 2 labels"):
        replace(good, labels=np.array([1, 0]))
    with pytest.raises(BadSlates, match="row 2 has label -1"):
        replace(good, labels=np.array([1, 0, -1]))
    with pytest.raises(BadSlates, match="integers"):
        replace(good, labels=np.array([1.0, 0.0, 1.0]))
    with pytest.raises(BadSlates, match="slate 1 has 1 positives, but relevant_total is 0"):
        replace(good, relevant_total=np.array([1, 0]))
    with pytest.raises(BadSlates, match="1 values of relevant_total, but 2 slates"):
        replace(good, relevant_total=np.array([1]))
    with pytest.raises(BadSlates, match="scores must have one dimension"):
        replace(good, scores=good.scores[:, None])


def oracle(rows: list[Row], total: int) -> dict[str, float]:
    """The definitions, position by position."""

    def before(a: Row, b: Row) -> int:
        if math.isnan(a[0]) != math.isnan(b[0]):
            return 1 if math.isnan(a[0]) else -1
        if not math.isnan(a[0]) and a[0] != b[0]:
            return -1 if a[0] > b[0] else 1
        return a[1] - b[1]

    labels = [label for _, label in sorted(rows, key=cmp_to_key(before))]
    best = sorted(labels, reverse=True)
    positives = sum(label > 0 for label in labels)

    def dcg(order: list[int], k: int) -> float:
        return sum((2**label - 1) / math.log2(i + 2) for i, label in enumerate(order[:k]))

    got = {f"ndcg@{k}": dcg(labels, k) / dcg(best, k) if positives else NAN for k in (5, 10, 25)}
    hits = [i for i, label in enumerate(labels) if label > 0]
    got["mrr"] = 1 / (hits[0] + 1) if hits else NAN
    precisions = [(j + 1) / (i + 1) for j, i in enumerate(hits) if i < 10]
    got["map@10"] = sum(precisions) / min(positives, 10) if positives else NAN
    got["recall@25"] = sum(i < 25 for i in hits) / total if total else NAN
    return got


SCORES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, NAN, math.inf, -math.inf]), st.floats(-5, 5))
GROUP = st.lists(st.tuples(SCORES, st.integers(0, 4)), min_size=1, max_size=40)
GROUPS = st.lists(GROUP, min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(GROUPS, st.integers(0, 3))
def test_metrics_equal_the_oracle(groups: list[list[Row]], unseen: int) -> None:
    totals = [sum(label > 0 for _, label in group) + unseen for group in groups]
    got = slate_metrics(slates(*groups, totals=totals)).values
    for i, (group, total) in enumerate(zip(groups, totals, strict=True)):
        want = oracle(group, total)
        assert {name: got[name][i] for name in METRICS} == pytest.approx(want, nan_ok=True, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(GROUP, st.randoms(use_true_random=False))
def test_metrics_do_not_depend_on_the_row_order(group: list[Row], random: object) -> None:
    shuffled = list(group)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_equal(values(shuffled), values(group))


@pytest.mark.parametrize("seed", range(20))
def test_the_metric_of_repeated_scores_is_that_of_slate_metrics(seed: int) -> None:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 25, size=30)
    labels = generator.integers(0, 5, size=sizes.sum()) * (generator.random(sizes.sum()) < 0.4)
    repeated = RepeatedNdcg(labels, sizes)
    for _ in range(3):
        scores = generator.integers(0, 6, size=len(labels)).astype(np.float64)  # many ties
        expected = slate_metrics(ScoredSlates(scores, labels, sizes, sizes)).values["ndcg@10"]
        np.testing.assert_allclose(repeated.values(scores), expected, rtol=1e-12)
        assert repeated.mean(scores) == pytest.approx(np.nanmean(expected))
