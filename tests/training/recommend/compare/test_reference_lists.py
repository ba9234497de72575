"""The references over the small shop: what is listed, and that nothing of the window is in it."""

from __future__ import annotations

import pytest

from infra.params import read_params
from tests.small_log import at
from tests.training.buyers.small_shop import small_shop
from tests.training.recommend.batch_shop import DAY, K, write_params
from training.buyers.orders import open_orders
from training.recommend.compare.reference_lists import DECAYED, FREQUENT, POPULAR, TIFU, reference_lists


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("references")
    settings = small_shop(folder).model_copy(update={"params_file": folder / "params.yaml"})
    write_params(settings)
    params = read_params(settings)["recommend"]
    with open_orders(settings, at(DAY)) as orders:
        users = [*orders.users(at(DAY)).to_pylist(), "nobody"]
        lists = reference_lists(settings, params, orders, at(DAY), users, K)
        bought = orders.connection.execute(
            "SELECT user_id, item_id, count(*) FROM ordered WHERE item_id IS NOT NULL GROUP BY ALL"
        ).fetchall()
        return lists, bought, orders.trending(at(DAY), 7, K)


def test_every_list_has_k_items_and_a_stranger_gets_what_is_popular(found):
    lists, _, popular = found
    assert {POPULAR, FREQUENT, DECAYED, TIFU, "source own_history", "source trending"} <= set(lists)
    for name, each in lists.items():
        each.check(len(each), K)
        if not name.startswith("source"):
            assert list(each.items[-1]) == popular
    assert all(list(each) == popular for each in lists[POPULAR].items)


def test_the_most_frequent_items_of_a_user_come_first(found):
    lists, bought, _ = found
    for user, listed in zip(lists[FREQUENT].users, lists[FREQUENT].items, strict=True):
        counts = {item: n for each, item, n in bought if each == user}
        own = [counts[item] for item in listed if item in counts]
        assert own == sorted(counts.values(), reverse=True)[: len(own)]
        assert len(own) == min(K, len(counts))
