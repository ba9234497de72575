"""Pairs of items of one session, by hand."""

import numpy as np
import pytest

from feature_repo.candidates.seeds import KINDS
from tests.training.candidates.known import known_log
from training.candidates.sources import covisitation

PARAMS = {
    "days": 365,
    "min_events": 1,
    "gap_hours": 6,
    "session_items": 10,
    "half_life_days": 2,
    "targets": {"order": 1.0},
    "popularity": 0.0,
    "shrinkage": 1.0,
    "neighbours": 5,
    "seeds": {},
}


def pairs(log, **changes) -> dict[tuple[str, str, str], float]:
    """(kind, seed, item) -> weight"""
    source = covisitation.fit(log, PARAMS | changes)
    if source is None:
        return {}
    table, n = source.pairs, len(log.codes)
    ids = log.codes.ids.to_pylist()
    return {
        (KINDS[row // n], ids[row % n], ids[item]): float(weight)
        for row, item, weight in zip(table.lists.rows.tolist(), table.items.tolist(), table.weights, strict=True)
    }


def test_a_pair_counts_less_the_longer_ago_and_the_larger_the_session(tmp_path):
    acts = [(8, "u", "order", "a"), (8, "u", "order", "b"), (6, "v", "view", "a"), (6.1, "v", "order", "b")]
    with known_log(tmp_path, acts) as log:
        found = pairs(log)
    size, faded = np.sqrt(2), 0.5  # u's session holds two orders, 2 days = one half-life ago
    assert found[("order", "a", "b")] == pytest.approx(faded / size / (faded + 1))
    assert found[("order", "b", "a")] == pytest.approx(faded / size / (faded + 2 ** -(3.9 / 2) + 1))
    assert found[("view", "a", "b")] == pytest.approx(2 ** -(3.9 / 2) / (0.25 + 1))
    assert len(found) == 3  # nobody ordered a after a view of b


def test_a_long_gap_cuts_a_session(tmp_path):
    acts = [(8, "u", "view", "a"), (8.2, "u", "view", "c"), (8.9, "u", "order", "b")]
    with known_log(tmp_path, acts) as log:
        assert pairs(log) == {}
        assert {pair[1] for pair in pairs(log, gap_hours=17)} == {"a", "c"}


def test_only_the_newest_items_and_days_are_read(tmp_path):
    acts = [(8, "u", "view", "a"), (8.1, "u", "view", "b"), (8.2, "u", "order", "c"), (3, "v", "view", "d")]
    with known_log(tmp_path, [*acts, (3, "v", "order", "c")]) as log:
        assert {pair[1] for pair in pairs(log)} == {"a", "b", "d"}
        assert {pair[1] for pair in pairs(log, session_items=2)} == {"b", "d"}
        assert {pair[1] for pair in pairs(log, days=5)} == {"a", "b"}
        assert pairs(log, min_events=2) == {}  # c alone has two


def test_popularity_favours_what_is_rarely_ordered(tmp_path):
    acts = [(8, "u", "view", "a"), (8, "u", "order", "b"), (8, "u", "order", "c")]
    more = [(8, f"w{n}", "order", "b") for n in range(5)]
    with known_log(tmp_path, acts + more) as log:
        even, rare = pairs(log), pairs(log, popularity=1.0)
    assert even[("view", "a", "b")] == even[("view", "a", "c")]
    ratio = (5 * 0.5 + 0.5 / np.sqrt(2) + 1) / (0.5 / np.sqrt(2) + 1)
    assert rare[("view", "a", "c")] / rare[("view", "a", "b")] == pytest.approx(ratio)


def test_blocks_of_items_give_the_same_pairs(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    acts = [(float(day), f"u{n % 5}", "order", f"i{rng.integers(12)}") for day in range(9) for n in range(20)]
    with known_log(tmp_path, acts) as log:
        whole = pairs(log)
        monkeypatch.setattr(covisitation, "PRODUCTS_AT_ONCE", 50)
        assert pairs(log) == whole


def test_without_pairs_there_is_no_source(tmp_path):
    with known_log(tmp_path, [(8, "u", "order", "a")]) as log:
        assert covisitation.fit(log, PARAMS) is None
