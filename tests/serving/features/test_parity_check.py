"""What counts as a difference, and what follows from one."""

import asyncio
import logging
from dataclasses import replace

import numpy as np
import pytest

from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from serving.features import parity_check
from serving.features.feast_reader import FeastReader, Keys, Reading, StoreAway, unread
from serving.features.parity_check import CheckedReader, Difference
from serving.metrics import Metrics
from tests.serving.blocking_reader import BlockingOnlineReader
from tests.serving.world import DECLARATION, NOW, us

KEYS = Keys("u", "s", ("a", "b"), us(NOW))


def reading(price=1.0, history=("a",), event_us=5) -> Reading:
    found = unread(KEYS, DECLARATION)
    items = {**found.slate.items, "price": np.array([price, np.nan], np.float32)}
    slate = replace(found.slate, items=items, user={"history_items": list(history), "user_orders_all": 3.0})
    return replace(found, slate=slate, event_us={"item_attributes": np.array([event_us, 0])})


class Road:
    """Gives the readings one after the other, the last one for ever; both as a coroutine and as a plain call."""

    def __init__(self, *readings: Reading | Exception) -> None:
        self.readings = list(readings)
        self.calls = 0

    def next(self) -> Reading:
        self.calls += 1
        found = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(found, Exception):
            raise found
        return found

    def read(self, keys: Keys, timeout_s: float) -> Reading:
        return self.next()


class FastRoad(Road):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:  # type: ignore[override]
        return self.next()


def checked(fast: Road, slow: Road, share: float = 0.0) -> CheckedReader:
    return CheckedReader(fast, slow, DECLARATION, Metrics(), share)


def compare(fast: Road, slow: Road) -> list[Difference]:
    return asyncio.run(checked(fast, slow).compare(KEYS))


def test_equal_readings_do_not_differ():
    assert compare(FastRoad(reading()), Road(reading())) == []


@pytest.mark.parametrize(
    ("slow", "expected"),
    [
        (reading(price=1.0000001), ("item_attributes", "price", "a")),
        (reading(history=("a", "b")), ("user_history", "history_items", "u")),
    ],
)
def test_a_difference_names_view_feature_and_entity(slow, expected):
    (found,) = compare(FastRoad(reading()), Road(slow))
    assert (found.view, found.feature, found.entity) == expected


def test_zero_and_minus_zero_differ_and_nan_does_not_differ_from_itself():
    assert len(compare(FastRoad(reading(price=0.0)), Road(reading(price=-0.0)))) == 1
    assert compare(FastRoad(reading(price=np.nan)), Road(reading(price=np.nan))) == []


def test_a_difference_that_is_gone_when_read_again_does_not_count():
    assert compare(FastRoad(reading(1), reading(2)), Road(reading(2))) == []


def test_a_difference_of_rows_of_other_moments_does_not_count():
    assert compare(FastRoad(reading(1, event_us=5)), Road(reading(2, event_us=6))) == []


def test_a_store_that_is_away_is_no_difference():
    assert compare(FastRoad(reading()), Road(StoreAway("gone"))) == []


def test_after_a_difference_the_slow_road_serves_until_enough_comparisons_agree(monkeypatch, caplog):
    monkeypatch.setattr(parity_check, "AGREEMENTS", 3)
    wrong, right = reading(1), reading(2)
    fast, slow = FastRoad(wrong, wrong, right), Road(right)

    async def use():
        reader = checked(fast, slow, share=1.0)
        served = []
        for _ in range(6):
            served.append(float((await reader.read(KEYS, 1.0)).slate.items["price"][0]))
            await asyncio.gather(*reader._comparing)
        return served, reader

    with caplog.at_level(logging.WARNING):
        served, reader = asyncio.run(use())
    assert served == [1, 2, 2, 2, 2, 2]
    assert reader.trusts_fast
    assert "item_attributes:price of a as" in caplog.text
    text = reader._metrics.text().decode()
    assert 'rerank_self_check_total{outcome="different"} 1.0' in text
    assert "rerank_fast_road 1.0" in text


def test_only_a_share_is_compared():
    fast, slow = FastRoad(reading()), Road(reading())

    async def use():
        reader = checked(fast, slow, share=0.0)
        for _ in range(50):
            await reader.read(KEYS, 1.0)

    asyncio.run(use())
    assert (fast.calls, slow.calls) == (50, 0)


def test_a_comparison_is_followed_by_a_rest():
    fast, slow = FastRoad(reading()), Road(reading())

    async def use():
        reader = checked(fast, slow, share=1.0)
        for _ in range(20):
            await reader.read(KEYS, 1.0)
            await asyncio.gather(*reader._comparing)
            reader._rest_until += 60  # however short the comparison was

    asyncio.run(use())
    assert (fast.calls, slow.calls) == (20, 1)


def test_of_a_long_list_some_candidates_are_compared_each_with_its_own_values():
    ids = [f"i{k}" for k in range(200)]
    keys = Keys("u", "s", ids, us(NOW))
    whole = unread(keys, DECLARATION)
    numbers = np.arange(200)
    items = {**whole.slate.items, "price": numbers.astype(np.float32)}
    times = {"item_attributes": numbers, "user_windows": np.array([7]), "item_companions": numbers}
    whole = replace(whole, slate=replace(whole.slate, items=items), event_us=times)
    some, part = parity_check.some_of(keys, whole, {"item_attributes"})
    positions = [int(each[1:]) for each in some.item_ids]
    assert len(positions) == parity_check.MAX_ITEMS == len(set(positions))
    assert part.slate.item_ids == some.item_ids
    assert part.slate.items["price"].tolist() == positions
    assert part.event_us["item_attributes"].tolist() == positions
    assert part.event_us["user_windows"].tolist() == [7]
    assert len(part.event_us["item_companions"]) == 200
    assert parity_check.some_of(KEYS, whole, set())[0] is KEYS


def test_both_roads_to_a_real_store_agree(settings):
    online = BlockingOnlineReader(endpoint(settings), DECLARATION, settings.dataset)
    feast = FeastReader(open_store(settings, offline=False), DECLARATION)
    for keys in (Keys("u", "s", ("a", "b", "c", "z"), us(NOW)), Keys(None, None, ("z", "b"), us(NOW))):
        fast, slow = online.read(keys), feast.read(keys)
        assert list(parity_check.differences(keys, fast, slow, parity_check.views(DECLARATION))) == []
        assert parity_check.same_times(fast, slow)
    online.close()
