"""Which items the cache stores and evicts, and which it must not store."""

from unittest.mock import patch

import numpy as np
import pytest
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.definitions.view import View
from feature_repo.schema import Column, DType
from serving.item_cache.item_block import ItemColumns, columns_at, decode_items
from serving.item_cache.item_cache import ENTRY_BYTES, ItemCache
from tests.small_log import at

VIEW = View(
    "prices", "item", "", ttl=at(2) - at(1), granularity="", publish_delay=at(1) - at(1),
    columns=(Column("price", DType.FLOAT32, ""), Column("seen_us", DType.INT64, ""), Column("brand", DType.STRING, "")),
)  # fmt: skip
COLUMNS = ItemColumns.of((VIEW,))
ROW_BYTES = COLUMNS.row.itemsize + ENTRY_BYTES
DAY_US = 86_400_000_000


def row(price: float, event_us: int = 5 * DAY_US) -> list[bytes | None]:
    timestamp = Timestamp(seconds=event_us // 1_000_000, nanos=event_us % 1_000_000 * 1000).SerializeToString()
    brand = Value(string_val=f"b{price:g}").SerializeToString()
    return [
        timestamp,
        Value(float_val=price).SerializeToString(),
        Value(int64_val=int(price)).SerializeToString(),
        brand,
    ]


NO_ROW = [None] * 4


def decoded(plan, replies):
    """As the reader hands them to the cache: None for no replies at all."""
    found = list(replies)
    return decode_items(found, COLUMNS, plan.known.texts) if found else None


class Store:
    """Redis for one cache: rows by id, and the ids that were read from it."""

    def __init__(self, capacity: int = 1000, **rows: float) -> None:
        self.rows = {name: row(price) for name, price in rows.items()}
        self.cache = ItemCache(COLUMNS, capacity * ROW_BYTES)
        self.cache.is_coherent = True
        self.read_ids: list[str] = []

    def read(self, *ids: str) -> list[float]:
        plan = self.cache.plan(list(ids))
        self.read_ids += plan.missing
        block = self.cache.complete(plan, decoded(plan, [self.rows.get(each, NO_ROW) for each in plan.missing]))
        columns, _ = columns_at(block, COLUMNS, 5 * DAY_US)
        assert columns["brand"].tolist() == [None if np.isnan(p) else f"b{p:g}" for p in columns["price"].tolist()]
        np.testing.assert_array_equal(columns["price"], columns["seen_us"])
        return columns["price"].tolist()

    def write(self, item: str, price: float) -> None:
        self.rows[item] = row(price)
        self.cache.forget([item])


def test_a_cached_item_is_not_read_again():
    store = Store(a=1, b=2, c=3)
    assert store.read("b", "a") == [2, 1]
    assert store.read("a", "c", "b") == [1, 3, 2]
    assert store.read_ids == ["b", "a", "c"]


def test_an_item_without_a_row_is_cached_too():
    store = Store()
    store.read("z")
    np.testing.assert_array_equal(store.read("z"), [np.nan])
    assert store.read_ids == ["z"]


def test_a_changed_item_is_read_again():
    store = Store(a=1, b=2)
    store.read("a", "b")
    store.write("a", 7)
    assert store.read("a", "b") == [7, 2]
    assert store.read_ids == ["a", "b", "a"]


def test_an_item_that_was_evicted_by_a_change_is_returned_once_unless_it_was_stored_again():
    store = Store(a=1, b=2, c=3)
    store.read("a", "b", "c")
    for item in ("b", "a", "b", "z"):
        store.write(item, 7)
    assert store.cache.take_forgotten(1) == ["b"]
    assert store.cache.take_forgotten(9) == ["a", "z"]  # z is new in Redis
    store.write("c", 8)
    store.read("c")
    assert store.cache.take_forgotten(9) == []
    store.write("c", 9)
    store.cache.clear()
    assert store.cache.take_forgotten(9) == []


def test_new_items_are_remembered_only_where_they_can_be_stored():
    without_room, away = Store(capacity=0), Store()
    away.cache.is_coherent = False
    for store in (without_room, away):
        store.write("z", 1)
        assert store.cache.take_forgotten(9) == []


def test_stored_items_are_found_by_a_timestamp_and_those_without_one_too():
    store = Store(a=1, b=2, c=3)
    store.rows["d"] = [store.rows["a"][0], None, None, None]
    store.read("a", "b", "c", "d", "nothing is stored of it")
    assert sorted(store.cache.ids_from("seen_us", 2)) == ["b", "c", "d"]
    store.write("c", 9)
    assert sorted(store.cache.ids_from("seen_us", 2)) == ["b", "d"]


def test_a_changed_item_whose_room_was_taken_is_not_returned():
    store = Store(capacity=2, a=1, b=2, c=3)
    store.read("a", "b")
    store.write("a", 7)
    store.write("b", 8)
    store.read("c")
    assert store.cache.take_forgotten(9) == ["b"]


def test_an_item_that_changes_again_while_it_is_read_is_returned_again():
    store = Store(a=1)
    store.read("a")
    store.write("a", 2)
    plan = store.cache.plan(store.cache.take_forgotten(9))
    old = decoded(plan, [store.rows["a"]])
    store.write("a", 3)
    store.cache.complete(plan, old)
    assert store.cache.take_forgotten(9) == ["a"]
    assert store.read("a") == [3]


def test_a_read_that_began_after_the_change_is_stored_while_an_older_read_is_in_progress():
    store = Store(a=1)
    older = store.cache.plan(["a"])
    old = decoded(older, [store.rows["a"]])
    store.write("a", 2)
    store.read("a")
    store.cache.complete(older, old)
    assert store.read("a") == [2]
    assert store.read_ids == ["a"]
    assert store.cache.take_forgotten(9) == []


def test_an_item_that_changed_while_it_was_read_is_not_stored():
    store = Store(a=1, b=2)
    plan = store.cache.plan(["a", "b"])
    old = [store.rows["a"], store.rows["b"]]
    store.write("a", 9)
    store.cache.complete(plan, decoded(plan, old))
    assert store.read("a", "b") == [9, 2]
    assert store.read_ids == ["a"]


def test_a_read_that_began_before_the_cache_was_cleared_is_not_stored():
    store = Store(a=1)
    plan = store.cache.plan(["a"])
    store.cache.clear()
    store.cache.complete(plan, decoded(plan, [store.rows["a"]]))
    assert len(store.cache) == 0


def test_no_item_is_stored_while_changes_are_not_reported():
    store = Store(a=1)
    store.cache.is_coherent = False
    store.read("a")
    store.read("a")
    assert store.read_ids == ["a", "a"]


def test_an_abandoned_plan_has_no_effect():
    store = Store(a=1)
    store.cache.abandon(store.cache.plan(["a"]))
    store.write("a", 2)
    assert store.read("a") == [2]
    assert store.read("a") == [2]
    assert store.read_ids == ["a"]


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_a_catalog_larger_than_the_cache_is_read_correctly(capacity):
    store = Store(capacity, **{f"i{n}": n for n in range(20)})
    for _ in range(3):
        assert store.read(*(f"i{n}" for n in range(20))) == list(range(20))
    assert len(store.cache) <= capacity
    assert store.cache.bytes <= capacity * ROW_BYTES


def test_a_used_row_stays_and_an_unused_one_is_evicted():
    store = Store(3, a=1, b=2, c=3, d=4, e=5)
    store.read("a", "b", "c")
    store.read("d")  # the hand passes all three once, and takes the first
    store.read("b", "c")
    store.read_ids.clear()
    store.read("e")
    store.read("b", "c")
    assert store.read_ids == ["e"]


def test_a_row_is_valid_from_its_timestamp_to_its_ttl_both_inclusive():
    store = Store(a=1)
    plan = store.cache.plan(["a"])
    block = store.cache.complete(plan, decoded(plan, [row(1, 5 * DAY_US)]))
    found = [columns_at(block, COLUMNS, 5 * DAY_US + shift)[1] for shift in (-1, 0, DAY_US, DAY_US + 1)]
    assert found == [1, 0, 0, 1]


@given(data=st.data(), capacity=st.integers(0, 7))
def test_after_any_sequence_of_steps_a_read_returns_what_redis_holds(data, capacity):
    """Reads, writes, lost connections and overlapping reads, while the cache grows."""
    with patch("serving.item_cache.item_cache.FIRST_ROWS", 2):
        any_sequence_of_steps(data, capacity)


def any_sequence_of_steps(data, capacity):
    store = Store(capacity, **{name: n for n, name in enumerate("abcde")})
    price, open_plans = 10.0, []
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.sampled_from(["read", "write", "clear", "plan", "answer", "abandon"]))
        ids = data.draw(st.lists(st.sampled_from("abcdexyz"), min_size=1, max_size=6, unique=True))
        if step == "write":
            price += 1
            store.write(ids[0], price)
        elif step == "clear":
            store.cache.clear()
        elif step == "plan":
            plan = store.cache.plan(ids)
            open_plans.append((plan, [store.rows.get(each, NO_ROW) for each in plan.missing]))
        elif open_plans and step == "answer":
            plan, replies = open_plans.pop(data.draw(st.integers(0, len(open_plans) - 1)))
            store.cache.complete(plan, decoded(plan, replies))
        elif open_plans and step == "abandon":
            store.cache.abandon(open_plans.pop()[0])
        expected = [
            float(Value.FromString(store.rows[each][1]).float_val) if each in store.rows else np.nan for each in ids
        ]
        np.testing.assert_array_equal(store.read(*ids), expected)
        assert len(store.cache) <= capacity


def test_rows_in_use_stay_and_unused_rows_are_evicted_first(monkeypatch):
    monkeypatch.setattr("serving.item_cache.item_cache.SWEEP", 3)  # the hand needs several steps per round
    store = Store(capacity=10, **{f"i{k}": k for k in range(40)})
    store.read(*[f"i{k}" for k in range(10)])
    store.read("i10")  # all were in use: the hand passes all of them once and evicts one
    in_use = [name for name in (f"i{k}" for k in range(10)) if name in store.cache][:5]
    for k in range(20, 40):
        store.read(*in_use)
        store.read(f"i{k}")
    store.read_ids.clear()
    store.read(*in_use)
    assert store.read_ids == []


def test_every_unused_row_is_evicted_in_turn(monkeypatch):
    monkeypatch.setattr("serving.item_cache.item_cache.SWEEP", 4)
    first = [f"i{k}" for k in range(9)]
    store = Store(capacity=9, **{f"i{k}": k for k in range(100)})
    store.read(*first)
    for k in range(20, 60):
        store.read(f"i{k}")
    assert len(store.cache) == 9
    assert not any(name in store.cache for name in first)


def test_texts_that_no_row_refers_to_are_removed(monkeypatch):
    monkeypatch.setattr("serving.item_cache.item_cache.TEXTS", 20)
    monkeypatch.setattr("serving.item_cache.item_cache.TEXTS_PER_ROW", 0)
    store = Store(capacity=5, a=1)
    for price in range(100):
        store.write("a", price)
        assert store.read("a") == [price]
        assert store.cache.texts <= 21
