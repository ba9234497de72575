"""Counts of the last days, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.feature_repo.candidates.sources.histories import asked
from tests.small_log import item
from tests.training.candidates.known import known_log
from training.candidates.sources import trending

PARAMS = {
    "windows": {1: 2.0, 4: 4.0},
    "actions": {"order": 1.0, "view": 0.5},
    "weights": {"overall": 1.0, "category": 0.0, "shop": 0.0, "context": 0.0},
    "list_items": {"overall": 9, "category": 9, "shop": 9, "context": 9},
    "shrinkage": 1.0,
    "seeds": {},
}
# Known at day 10. A day: 2/1 + 4/4 = 3; in the last 4 days: 1; before that nothing.
ACTS = [
    (9.5, "u", "order", "a"),
    (7, "v", "order", "b"),
    (7, "w", "order", "b"),
    (7, "u", "view", "c"),
    (5, "u", "order", "d"),
]
ITEMS = [
    item("a", category_id="x", shop_id="s"),
    item("b", category_id="x"),
    item("c", category_id="y", shop_id="s"),
    item("d", category_id="y", shop_id="t"),
]


def scores(log, user=(), store=None, **weights) -> dict[str, float]:
    source = trending.fit(log, PARAMS | {"weights": PARAMS["weights"] | weights})
    queries = replace(asked(list(user), codes=log.codes), context={"store_id": np.array([store], object)})
    found = source.candidates(queries, 10)
    return dict(zip(log.codes.decode(found.items), found.scores.tolist(), strict=True))


def test_shorter_windows_add_to_longer_ones(tmp_path):
    with known_log(tmp_path, ACTS, items=ITEMS) as log:
        found = scores(log)
    total = 3 + 2 + 0.5 + 1
    assert found == pytest.approx({"a": 3 / total, "b": 2 / total, "c": 0.5 / total})


def test_the_users_categories_and_shops_share_their_weight(tmp_path):
    with known_log(tmp_path, ACTS, items=ITEMS) as log:
        # Twice an item of category x, once one of y; the history's items of a shop are c (s) and d (t).
        user = [("b", 2, 0, 0), ("c", 1, 0, 0)]
        found = scores(log, user, overall=0.0, category=3.0)
        assert found == pytest.approx({"a": 2 * 3 / 6, "b": 2 * 2 / 6, "c": 1 * 0.5 / 1.5})
        found = scores(log, [("b", 1, 0, 0), ("c", 1, 0, 0)], overall=0.0, shop=2.0)
        assert found == pytest.approx({"a": 3 / 4.5, "c": 0.5 / 4.5})


def test_a_store_has_its_own_list(tmp_path):
    with known_log(tmp_path, ACTS, items=ITEMS, stores={"u-9": "north", "v-7": "south", "u-5": "north"}) as log:
        for store, expected in (("north", {"a": 3 / 4}), ("south", {"b": 1 / 2}), ("east", {}), (None, {})):
            assert scores(log, store=store, overall=0.0, context=1.0) == expected


def test_without_a_recent_event_there_is_no_source(tmp_path):
    with known_log(tmp_path, [(5, "u", "order", "a")]) as log:
        assert trending.fit(log, PARAMS) is None
