"""Changes of items sent to a scorer over a real store; its next score reads them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from feature_repo.live.event_files import reading
from feature_repo.live.items.acceptance import ItemKeys
from feature_repo.live.items.change import unpacked
from feature_repo.live.items.drain import ItemDrain
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.schema import Column, DType
from feature_repo.store import open_store
from infra.clock import ReplayClock
from infra.limits import MAX_ITEM_CHANGES, MAX_PRICE, MAX_TEXT_LENGTH
from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from infra.settings import Settings
from serving.api.app import create_app
from serving.events.item_intake import ItemIntake
from serving.events.item_schema import ItemsAnswer
from serving.metrics import Metrics
from tests.serving import world

DECLARATION = world.DECLARATION


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, ReplayClock(world.NOW, time.time()))) as client:
        yield client


@pytest.fixture
def item(settings: Settings) -> str:
    """An item of its own for each test: category fruit, price 1.10, a private brand."""
    name = f"item-{uuid4().hex}"
    world.write_row(
        settings, "item_attributes", world.ROW_AT, item_id=name, category_id="fruit", price=1.1, is_private_brand=1.0
    )
    return name


def send(client: TestClient, *changes: object, status: int = 202) -> dict[str, Any]:
    answer = client.post("/items", json={"items": changes})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def accepted(count: int, duplicates: int = 0) -> dict[str, Any]:
    return {"accepted": count, "duplicates": duplicates, "rejected": []}


def features(client: TestClient, item: str) -> dict[str, float | None]:
    """The feature values of the next score, without a user or a session."""
    items = client.post("/explain", json={"items": [{"item_id": item}, {"item_id": "z"}]}).json()["items"]
    found: dict[str, float | None] = next(each["values"] for each in items if each["item_id"] == item)
    return found


def stored(settings: Settings, item: str) -> Mapping[str, Any]:
    """As Feast's own client reads it."""
    names = [column.name for column in world.VIEWS["item_attributes"].columns]
    found = open_store(settings).get_online_features([f"item_attributes:{name}" for name in names], [{"item_id": item}])
    return {name: found.to_dict()[name][0] for name in names}


def test_the_next_score_reads_a_changed_price_and_the_other_attributes_stay(
    client: TestClient, settings: Settings, item: str
) -> None:
    assert features(client, item)["price"] == pytest.approx(1.1)
    assert send(client, {"item_id": item, "price": 0.9, "old_price": 1.1, "in_stock": False}) == accepted(1)
    found = features(client, item)
    assert (found["price"], found["old_price"]) == (pytest.approx(0.9), pytest.approx(1.1))
    assert found["is_private_brand"] == 1
    row = stored(settings, item)
    assert (row["category_id"], row["in_stock"], row["price"]) == ("fruit", 0, np.float32(0.9))
    send(client, {"item_id": item, "old_price": None, "in_stock": True, "is_private_brand": 0})
    row = stored(settings, item)
    assert (row["old_price"], row["in_stock"], row["is_private_brand"], row["price"]) == (None, 1, 0.0, np.float32(0.9))


def test_every_next_score_of_two_workers_apps_reads_the_newest_price(settings: Settings, item: str) -> None:
    """Each change is sent to one app; the other has the item in its cache."""
    clock = ReplayClock(world.NOW, time.time())
    with TestClient(create_app(settings, clock)) as one, TestClient(create_app(settings, clock)) as other:
        for number in range(40):
            price = round(1 + number / 100, 2)
            send(one if number % 2 else other, {"item_id": item, "price": price})
            for client in (other, one):
                assert features(client, item)["price"] == pytest.approx(price, abs=1e-6), number


def test_a_new_item_is_known_at_once(client: TestClient, settings: Settings) -> None:
    name = f"new-{uuid4().hex}"
    body = {"items": [{"item_id": name}]}
    assert client.post("/score", json=body).json()["missing"]["items"] == 1
    assert send(client, {"item_id": name, "price": "3.10", "category_id": "bread", "brand": "b"}) == accepted(1)
    assert client.post("/score", json=body).json()["missing"]["items"] == 0
    assert features(client, name)["price"] == pytest.approx(3.1)
    assert stored(settings, name)["category_id"] == "bread"


def test_a_change_counts_once_however_often_it_is_sent(client: TestClient, settings: Settings, item: str) -> None:
    one = {"change_id": uuid4().hex, "item_id": item, "price": 2.0}
    assert send(client, one, dict(reversed(one.items()))) == accepted(1, duplicates=1)
    send(client, {"item_id": item, "price": 3.0})
    assert send(client, {**one, "price": "2.00"}) == accepted(0, duplicates=1)
    assert features(client, item)["price"] == 3
    found = send(client, {**one, "price": 2.5}, status=422)
    assert found["rejected"] == [{"index": 0, "reason": "change_id is known with another body"}]
    assert features(client, item)["price"] == 3
    assert [row["price"] for row in rows_in_stream(settings, item)] == ["2.00", "3.00"]


def rows_in_stream(settings: Settings, item: str) -> list[dict[str, str | None]]:
    with endpoint(settings, EVENTS).client(5) as redis:
        entries = [entry for _, entry in redis.xrange(ItemKeys(settings.dataset).stream)]
    found = [unpacked(entry[b"change"], entry[b"row"]) for entry in entries]
    return [each.row for each in found if each.change.item_id == item]


def test_changes_of_one_item_that_come_at_the_same_time_lose_nothing(settings: Settings, item: str) -> None:
    """Two apps, eight threads: each attribute ends as it was set, and each row has all that was set before it."""
    clock = ReplayClock(world.NOW, time.time())
    sets = [{"price": 9.0}, {"old_price": 8.0}, {"brand": "b"}, {"shop_id": "s"}, {"category_id": "c"}, {"in_stock": 0}]
    with TestClient(create_app(settings, clock)) as one, TestClient(create_app(settings, clock)) as other:
        barrier = threading.Barrier(len(sets))

        def change(number: int) -> None:
            barrier.wait()
            send((one, other)[number % 2], {"item_id": item, **sets[number]})

        with ThreadPoolExecutor(len(sets)) as pool:
            list(pool.map(change, range(len(sets))))
    row = stored(settings, item)
    assert {k: row[k] for each in sets for k in each} == {k: v for each in sets for k, v in each.items()}
    logged = rows_in_stream(settings, item)
    names = [next(iter(each)) for each in sets]
    first = {"price": "1.10", "category_id": "fruit"}
    count = [sum(row.get(name) != first.get(name) for name in names) for row in logged]
    assert count == [1, 2, 3, 4, 5, 6]


def test_several_changes_of_one_item_in_one_request_are_merged_in_order(
    client: TestClient, settings: Settings, item: str
) -> None:
    changes = [{"item_id": item, "price": number} for number in range(1, 120)]
    assert send(client, *changes, {"item_id": item, "brand": "b"}) == accepted(120)
    assert (features(client, item)["price"], stored(settings, item)["brand"]) == (119, "b")


def test_a_new_item_needs_what_must_be_known_once_and_later_changes_of_the_request_do_not(settings: Settings) -> None:
    weighed = replace(DECLARATION, item_extras=(Column("weight", DType.FLOAT32, "weight", "kg"),))
    name = f"new-{uuid4().hex}"
    changes = [{"item_id": name, "price": 1}, {"item_id": name, "weight": 2.5}, {"item_id": name, "price": 3}]

    async def take() -> ItemsAnswer:
        intake = ItemIntake(settings, ReplayClock(world.NOW, time.time()), Metrics(), lambda: weighed)
        await intake.start(5)
        try:
            return await intake.take(json.dumps({"items": changes}).encode(), 5)
        finally:
            await intake.close()

    found = asyncio.run(take())
    assert found.rejected == [{"index": 0, "reason": "the item is new and needs weight"}]
    assert found.accepted == 2


def test_each_bad_change_is_rejected_by_its_index_and_field_and_the_others_are_accepted(
    client: TestClient, item: str
) -> None:
    good = {"item_id": item, "price": 1}
    bad: list[tuple[object, str]] = [
        ({"price": 1}, "item_id"),
        ({**good, "item_id": ""}, "item_id"),
        ({**good, "item_id": "x" * (MAX_TEXT_LENGTH + 1)}, "item_id"),
        ({**good, "item_id": "a\0b"}, "item_id"),
        ({**good, "change_id": ""}, "change_id"),
        ({**good, "price": -0.01}, "price must be at least 0, at most 100000 - at `$.price`"),
        ({**good, "price": MAX_PRICE + 0.01}, "price must be at least 0"),
        ({**good, "price": "NaN"}, "price must be at least 0"),
        ({**good, "price": "cheap"}, "`$.price`"),
        ({**good, "brand": 7.5}, "`$.brand`"),
        ({**good, "category_id": "c" * (MAX_TEXT_LENGTH + 1)}, "`$.category_id`"),
        ({**good, "in_stock": 2}, "in_stock must be"),
        ({**good, "in_stock": "yes"}, "`$.in_stock`"),
        ({**good, "is_private_brand": 1.5}, "is_private_brand must be at least 0, at most 1"),
        ({**good, "is_private_brand": 1e39}, "`$.is_private_brand`"),
        ({**good, "colour": "red"}, "colour"),
        ({**good, "received_ts": "2024-01-01T00:00:00Z"}, "received_ts"),
        ({"item_id": item}, "nothing to change: send at least one of category_id, price, old_price"),
        ("cheaper", "object"),
        (None, "object"),
    ]
    found = send(client, *(each for each, _ in bad), good)
    assert found["accepted"] == 1
    assert [each["index"] for each in found["rejected"]] == list(range(len(bad)))
    for each, (_, reason) in zip(found["rejected"], bad, strict=True):
        assert reason in each["reason"]
    assert features(client, item)["price"] == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"items": []}', b'{"items": [1], "x": 1}', b'{"items": [' * 9])
def test_a_body_that_is_not_a_list_of_changes_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/items", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "invalid_request")


def test_a_request_has_at_most_a_thousand_changes(client: TestClient, item: str) -> None:
    changes = [{"item_id": f"{item}-{i}", "price": 1} for i in range(MAX_ITEM_CHANGES)]
    assert send(client, *changes) == accepted(MAX_ITEM_CHANGES)
    assert client.post("/items", json={"items": [*changes, changes[0]]}).status_code == 422


def test_pages_of_another_origin_cannot_send_changes(settings: Settings, item: str) -> None:
    """Also where they may send events: neither as text, which needs no preflight, nor after a preflight."""
    allowing = settings.model_copy(update={"events_origins": ["*"]})
    page = {"origin": "https://shop.example"}
    with TestClient(create_app(allowing, ReplayClock(world.NOW, time.time()))) as client:
        text = client.post("/items", content=b"{}", headers={**page, "content-type": "text/plain"})
        assert text.status_code == 415
        asked = {**page, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        preflight = client.options("/items", headers=asked)
        assert preflight.status_code == 405
        assert "access-control-allow-origin" not in preflight.headers
        assert client.options("/events", headers=asked).headers["access-control-allow-origin"] in ("*", page["origin"])


def test_the_metrics_count_changes_by_outcome(settings: Settings, item: str) -> None:
    one = {"change_id": uuid4().hex, "item_id": item, "price": 2.0}
    with TestClient(create_app(settings, ReplayClock(world.NOW, time.time()))) as client:
        send(client, one, one, {"item_id": item})
        text = client.get("/metrics").text
    for outcome in ("accepted", "duplicate", "rejected"):
        assert f'rerank_item_changes_total{{outcome="{outcome}"}} 1.0' in text
    with endpoint(settings, EVENTS).client(5) as redis:
        waiting = redis.xlen(ItemKeys(settings.dataset).stream)
    assert f"rerank_item_changes_waiting {float(waiting)}" in text
    assert 'rerank_requests_total{path="/items",status="202"} 1.0' in text


def test_an_older_row_of_a_materialization_does_not_undo_a_change(
    client: TestClient, settings: Settings, item: str
) -> None:
    send(client, {"item_id": item, "price": 7.0})
    world.write_row(settings, "item_attributes", world.ROW_AT + timedelta(seconds=1), item_id=item, price=1.1)
    assert features(client, item)["price"] == 7


def test_a_change_is_merged_with_a_newer_row_of_a_materialization(
    client: TestClient, settings: Settings, item: str
) -> None:
    send(client, {"item_id": item, "price": 7.0})
    scored = client.post("/score", json={"user_id": "u", "items": [{"item_id": "a"}]}).json()
    now = datetime.fromisoformat(scored["scored_at"])
    world.write_row(settings, "item_attributes", now, item_id=item, price=5.0, brand="new")
    send(client, {"item_id": item, "in_stock": 0})
    row = stored(settings, item)
    assert (row["price"], row["brand"], row["in_stock"], row["category_id"]) == (5.0, "new", 0, None)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Settings]:
    """Two Redis servers of its own, to be stopped."""
    made = world.settings_in(tmp_path, redis_timeout_s=0.5)
    for role in (FEATURES, EVENTS):
        start(made, role)
    world.fill_store(made)
    world.register(made, world.small_model())
    yield made
    for role in (FEATURES, EVENTS):
        stop(made, role)


def test_nothing_is_accepted_without_both_servers_and_what_was_accepted_outlives_them(shop: Settings) -> None:
    clock = ReplayClock(world.NOW, time.time())
    with TestClient(create_app(shop, clock)) as client:
        send(client, {"item_id": "a", "price": 5.0, "in_stock": 0})
        for role in (EVENTS, FEATURES):
            stop(shop, role)
            answer = client.post("/items", json={"items": [{"item_id": "a", "price": 6.0}]})
            assert (answer.status_code, answer.json()["error"]["type"]) == (503, "items_not_kept")
            assert answer.headers["retry-after"] == "1"
            start(shop, role)
            deadline = time.monotonic() + 10
            while client.post("/items", json={"items": [{"item_id": "b", "price": 1}]}).status_code != 202:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert stored(shop, "a")["price"] == 5
    with endpoint(shop, EVENTS).client(5) as events, endpoint(shop).client(5) as store:
        store.flushall()
        drained = ItemDrain(shop.dataset, shop.live_dir, events, store, lambda: DECLARATION).drain()
        assert drained == 3
    row = stored(shop, "a")
    assert (row["price"], row["in_stock"], row["category_id"]) == (5.0, 0, "fruit")
    with reading(shop.live_dir):
        (path,) = ITEM_CHANGES.files(shop.live_dir)
        logged = pq.read_table(path).to_pylist()
    assert [(each["item_id"], each["changed"]) for each in logged] == [
        ("a", ["in_stock", "price"]),
        ("b", ["price"]),
        ("b", ["price"]),
    ]
