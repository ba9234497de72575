"""What counts as a difference to Feast, and what follows from one."""

import asyncio
import logging
from dataclasses import replace

import numpy as np
import pytest

from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from serving.features import parity_check
from serving.features.feast_reader import FeastReader
from serving.features.parity_check import Difference, ParityCheck
from serving.features.reading import Keys, Reading, StoreAway, unread
from serving.metrics import Metrics
from tests.serving.blocking_reader import BlockingRedisReader
from tests.serving.world import DECLARATION, NOW, us

KEYS = Keys("u", "s", ("a", "b"), us(NOW))


def reading(price=1.0, history=("a",), event_us=5) -> Reading:
    found = unread(KEYS, DECLARATION)
    items = {**found.slate.items, "price": np.array([price, np.nan], np.float32)}
    slate = replace(found.slate, items=items, user={"history_items": list(history), "user_orders_all": 3.0})
    return replace(found, slate=slate, event_us={"item_attributes": np.array([event_us, 0])})


class Feast:
    """Returns the readings one after the other, then the last one each time."""

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


class Redis(Feast):
    async def read(self, keys: Keys, timeout_s: float) -> Reading:  # type: ignore[override]
        return self.next()


def check(redis: Redis, feast: Feast, metrics: Metrics | None = None, share: float = 0.0) -> ParityCheck:
    return ParityCheck(redis, feast, DECLARATION, metrics or Metrics(), share)


def compare(redis: Redis, feast: Feast) -> list[Difference]:
    return asyncio.run(check(redis, feast).compare(KEYS))


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_equal_readings_do_not_differ():
    assert compare(Redis(reading()), Feast(reading())) == []


@pytest.mark.parametrize(
    ("feast", "expected"),
    [
        (reading(price=1.0000001), ("item_attributes", "price", "a")),
        (reading(history=("a", "b")), ("user_history", "history_items", "u")),
    ],
)
def test_a_difference_names_view_feature_and_entity(feast, expected):
    (found,) = compare(Redis(reading()), Feast(feast))
    assert (found.view, found.feature, found.entity) == expected


def test_zero_and_minus_zero_differ_and_nan_does_not_differ_from_itself():
    assert len(compare(Redis(reading(price=0.0)), Feast(reading(price=-0.0)))) == 1
    assert compare(Redis(reading(price=np.nan)), Feast(reading(price=np.nan))) == []


def test_a_difference_that_the_second_reading_does_not_show_does_not_count():
    assert compare(Redis(reading(1), reading(2)), Feast(reading(2))) == []


def test_a_difference_of_rows_with_other_timestamps_does_not_count():
    assert compare(Redis(reading(1, event_us=5)), Feast(reading(2, event_us=6))) == []


def test_an_unavailable_store_is_not_a_difference():
    assert compare(Redis(reading()), Feast(StoreAway("gone"))) == []


def test_a_difference_is_logged_counted_and_shown_until_enough_comparisons_agree(monkeypatch, caplog):
    monkeypatch.setattr(parity_check, "AGREEMENTS", 3)
    wrong, right = reading(1), reading(2)
    metrics = Metrics()
    parity = check(Redis(wrong, wrong, right), Feast(right), metrics)

    async def compare_repeatedly():
        problems = [parity.problem]
        for _ in range(4):
            await parity.compare(KEYS)
            problems.append(parity.problem)
        return problems

    with caplog.at_level(logging.ERROR):
        before, *shown, after = asyncio.run(compare_repeatedly())
    assert before is None
    assert len(shown) == 3
    assert all("item_attributes:price of a is" in problem for problem in shown)
    assert after is None
    assert "item_attributes:price of a is" in caplog.text
    text = metrics.text().decode()
    assert 'rerank_self_check_total{outcome="different"} 1.0' in text
    assert 'rerank_self_check_total{outcome="equal"} 3.0' in text


def test_only_the_configured_share_of_readings_is_compared():
    feast = Feast(reading())

    async def sample(share):
        parity = check(Redis(reading()), feast, share=share)
        for _ in range(50):
            parity.sample(KEYS, reading())
            await asyncio.sleep(0)
        await parity.close()

    asyncio.run(sample(0.0))
    assert feast.calls == 0
    asyncio.run(sample(1.0))
    assert feast.calls >= 1


def test_a_comparison_is_followed_by_a_pause(monkeypatch):
    monkeypatch.setattr(parity_check, "REST", 1e9)  # however short the comparison was
    feast = Feast(reading())
    metrics = Metrics()

    async def sample():
        parity = check(Redis(reading()), feast, metrics, share=1.0)
        parity.sample(KEYS, reading())
        await until(lambda: 'outcome="equal"} 1.0' in metrics.text().decode())
        for _ in range(20):
            parity.sample(KEYS, reading())
            await asyncio.sleep(0)
        await parity.close()

    asyncio.run(sample())
    assert feast.calls == 1


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


def test_both_readers_of_a_real_store_agree(settings):
    online = BlockingRedisReader(endpoint(settings), DECLARATION, settings.dataset)
    feast = FeastReader(open_store(settings, offline=False), DECLARATION)
    for keys in (Keys("u", "s", ("a", "b", "c", "z"), us(NOW)), Keys(None, None, ("z", "b"), us(NOW))):
        ours, theirs = online.read(keys), feast.read(keys)
        assert list(parity_check.differences(keys, ours, theirs, parity_check.views(DECLARATION))) == []
        assert parity_check.same_times(ours, theirs)
    online.close()
