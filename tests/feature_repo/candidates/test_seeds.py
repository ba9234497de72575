"""The seeds of a session, a cart and a history."""

import numpy as np
import pytest

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.seeds import KINDS, SeedWeights
from feature_repo.slate import Row

DAY_US = 86_400_000_000
CODES = ItemCodes.of_ids(["a", "b", "c", "d"])


def row(**columns: list) -> Row:
    return Row(columns)


SESSION = row(
    cart_items=["b"],
    recent_items=["b", "?", "a", "c"],
    recent_actions=["add_to_cart", "view", "remove_from_cart", "view"],
    recent_us=[4, 3, 2, 1],
)
USER = row(
    history_items=["d", "c", "a"],
    history_categories=["", "", ""],
    history_counts=[1, 1, 1],
    history_first_us=[0, 0, 0],
    history_last_us=[60 * DAY_US, 0, 0],
    history_decayed_14d=[1.0, 1.0, 1.0],
    history_decayed_60d=[1.0, 3.0, 1.0],
    history_decayed_180d=[1.0, 1.0, 1.0],
)


def test_seeds_are_the_session_the_cart_and_the_newest_orders():
    queries = queries_of_rows(CODES, [60 * DAY_US] * 2, [Row(), USER], [Row(), SESSION], [{}, {}])
    weights = SeedWeights({"view": 1.0, "add_to_cart": 4.0}, recency=0.5, history=0.1, history_items=2)
    seeds = weights.of(queries)
    assert seeds.lists.starts.tolist() == [0, 0, 5]
    assert CODES.decode(seeds.items) == ["b", "c", "b", "d", "c"]
    assert [KINDS[kind] for kind in seeds.kinds] == ["add_to_cart", "view", "add_to_cart", "order", "order"]
    # The 4th event of the session counts 0.5^3; c was ordered a half-life ago.
    assert seeds.weights.tolist() == pytest.approx([4.0, 0.125, 4.0, 0.1, 0.15])


def test_a_weight_of_0_makes_no_seed():
    queries = queries_of_rows(CODES, [0], [USER], [SESSION], [{}])
    assert len(SeedWeights({}, history=0.0).of(queries).items) == 0
    assert np.array_equal(SeedWeights({}, history=0.0).of(queries).lists.starts, [0, 0])
