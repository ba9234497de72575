"""The item cache and a real Redis: no value that is read is older than a second, even if a connection is lost."""

import asyncio
import gc
import json
import os
import signal
import threading
import time
from datetime import timedelta

import pandas as pd
import pytest

from feature_repo.store import open_store
from infra.redis_server.server import endpoint, start, stop
from serving.features.feature_client import FeatureClient
from serving.features.reading import Keys, StoreAway
from serving.features.redis_reader import RedisReader
from serving.item_cache.hash_layout import hash_layout
from serving.redis_client.connection import ConnectionLost, connect, pack
from tests.serving import world
from tests.serving.world import DECLARATION, NOW, ROW_AT, us

CACHE_BYTES = 1 << 20
PATIENCE_S = 10.0  # with a read, on a machine that does other work, too
STALE_S = 1.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    made = world.settings_in(tmp_path_factory.mktemp("coherent"))
    start(made)
    world.fill_store(made)
    yield made
    stop(made)


def with_features(settings, use):
    """Run ``use(features, reader)`` on a loop of its own, with the store connected and its changes followed."""

    async def run():
        reader = RedisReader(DECLARATION, settings.dataset, CACHE_BYTES)
        features = FeatureClient(reader, lambda: endpoint(settings))
        await features.start(5)
        try:
            await until(lambda: reader.cache.is_coherent)
            return await use(features, reader)
        finally:
            await features.close()

    return asyncio.run(run())


async def until(condition, timeout_s=10.0):
    for _ in range(int(timeout_s * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


async def price(features, item="a", at=NOW):
    reading = await features.read(Keys("u", "s", (item,), us(at)), PATIENCE_S)
    return float(reading.slate.items["price"][0])


def write_price(settings, value, timestamp, item="a"):
    world.write_row(settings, "item_attributes", timestamp, item_id=item, category_id="fruit", price=value)


def test_a_write_to_a_cached_item_is_seen_within_a_second(settings):
    async def use(features, reader):
        await price(features)
        assert len(reader.cache) >= 1
        at = NOW + timedelta(seconds=1)
        await asyncio.to_thread(write_price, settings, 5.5, at)
        await asyncio.sleep(STALE_S)
        assert await price(features, at=at) == 5.5

    with_features(settings, use)


def cached_price(reader, item):
    """None for an item that is not cached."""
    plan = reader.cache.plan([item])
    reader.cache.abandon(plan)
    return None if plan.missing else float(plan.known.rows["floats"][0, reader.columns.positions["price"][1]])


def test_a_cached_row_that_changed_is_read_again_without_a_request(settings):
    async def use(features, reader):
        assert await price(features, "b") == cached_price(reader, "b") != 2.5
        await asyncio.to_thread(write_price, settings, 2.5, NOW, "b")
        await until(lambda: cached_price(reader, "b") == 2.5)

    with_features(settings, use)


def test_an_emptied_redis_empties_the_cache(settings):
    async def use(features, reader):
        await price(features, "z")
        with endpoint(settings).client(5) as client:
            await asyncio.to_thread(client.flushall)
        await until(lambda: len(reader.cache) == 0)
        assert reader.cache.is_coherent

    try:
        with_features(settings, use)
    finally:
        world.fill_store(settings)


def test_a_lost_tracking_connection_empties_the_cache_until_it_is_back(settings):
    async def use(features, reader):
        await price(features, "b")
        with endpoint(settings).client(5) as client:
            (tracking,) = [each["id"] for each in client.client_list() if "t" in each["flags"]]
            client.client_kill_filter(_id=tracking)
            await until(lambda: not reader.cache.is_coherent)
            assert len(reader.cache) == 0
            await price(features, "b")
            assert len(reader.cache) == 0 or reader.cache.is_coherent
            await until(lambda: reader.cache.is_coherent)
            await price(features, "b")
            assert len(reader.cache) >= 1

    with_features(settings, use)


def test_a_silent_redis_empties_the_cache_and_reads_do_not_wait_for_it(settings):
    async def use(features, reader):
        await price(features, "b")
        pid = json.loads((settings.redis_dir / "endpoint.json").read_text())["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(lambda: not reader.cache.is_coherent and features.problem is not None, 2 * STALE_S)
            assert len(reader.cache) == 0
            started = time.monotonic()
            with pytest.raises(StoreAway):
                await features.read(Keys("u", "s", ("b",), us(NOW)), 1.0)
            assert time.monotonic() - started < 0.5  # not the whole timeout
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: features.problem is None and reader.cache.is_coherent)
        assert await price(features, "b") > 0

    with_features(settings, use)


def test_reads_during_writes_are_never_older_than_a_second(settings):
    """A writer counts up. A read that begins a second after a write must not return an older value."""
    written: list[tuple[float, float]] = []  # (when it was done, value)
    enough = threading.Event()
    store = open_store(settings)

    def count_up():
        value = 100.0
        while not enough.is_set():
            value += 1
            at = pd.Timestamp(ROW_AT + timedelta(milliseconds=value))
            row = {column.name: [None] for column in world.VIEWS["item_attributes"].columns}
            row |= {"item_id": ["hot"], "category_id": ["c"], "price": [value]}
            row |= {"event_timestamp": [at], "created_timestamp": [at]}
            store.write_to_online_store("item_attributes", pd.DataFrame(row))
            written.append((time.monotonic(), value))

    async def use(features, reader):
        cached = 0
        until_s = time.monotonic() + 4
        while time.monotonic() < until_s:
            began = time.monotonic()
            oldest_allowed = max((value for done, value in written if done < began - STALE_S), default=0.0)
            found = await price(features, "hot", at=ROW_AT + timedelta(seconds=30))
            assert not found < oldest_allowed
            cached += len(reader.cache) > 0
            await asyncio.sleep(0.001)
        return cached

    writer = threading.Thread(target=count_up)
    writer.start()
    try:
        cached = with_features(settings, use)
    finally:
        enough.set()
        writer.join()
    assert len(written) > 100
    assert cached > 100


def test_a_call_that_is_not_awaited_fails_without_a_log_line(settings):
    async def run():
        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        connection = await connect(endpoint(settings))
        awaited = connection.call(pack(b"BLPOP", b"nothing", b"0"), 1)
        connection.call(pack(b"PING"), 1)
        connection.close()
        with pytest.raises(ConnectionLost):
            await awaited
        gc.collect()
        return reported

    assert asyncio.run(run()) == []


def test_a_cache_of_zero_bytes_stores_nothing(settings):
    async def use():
        reader = RedisReader(DECLARATION, settings.dataset, 0)
        features = FeatureClient(reader, lambda: endpoint(settings))
        await features.start(5)
        found = [await price(features, "b") for _ in range(2)]
        with endpoint(settings).client(5) as client:  # no connection follows changes
            assert not [each for each in client.client_list() if "t" in each["flags"]]
        await features.close()
        assert found[0] == found[1] > 0
        assert len(reader.cache) == 0

    asyncio.run(use())


def test_the_cache_is_filled_soon_after_the_start(settings):
    async def use(features, reader):
        await until(lambda: len(reader.cache) >= 3)
        assert None not in [cached_price(reader, each) for each in "abc"]

    with_features(settings, use)


def test_the_pattern_of_item_keys_matches_them_and_no_others(settings):
    layout = hash_layout((world.VIEWS["item_windows"],), settings.dataset)
    with endpoint(settings).client(5) as client:
        found = {layout.id_of(key) for key in client.scan_iter(match=layout.pattern)}
        assert {"a", "b", "c"} <= found
        assert len(list(client.scan_iter())) > len(found)
    assert layout.id_of(layout.before + b"\x01\x00\x00\x00a" + b"another_project") is None
