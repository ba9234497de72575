"""The online store on a Redis Cluster of three servers (``CLUSTER MEET`` and ``ADDSLOTS``)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float32
from redis.crc import key_slot

from feature_repo.online.rows import layout_of, rows_of_batch
from feature_repo.online.store import ServedRedisOnlineStore
from infra.redis_server.endpoint import Endpoint
from infra.redis_server.server import server_binary
from tests.feature_repo.online.stores import PROJECT, feast_rows, feature_view, repo_config, with_timestamps
from tests.shop import free_port

SLOTS = 16_384
VIEW = feature_view({"price": Float32})[1]
KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
COUNT = 300


def wait_for(condition: Callable[[], bool], failure: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(redis.RedisError):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(failure)


def cluster_port() -> int:
    """A free port. The port of the cluster bus is 10,000 higher and must be valid too."""
    return next(port for port in iter(free_port, None) if port < 55_000)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[redis.Redis]]:
    with ExitStack() as stack:
        clients = []
        for number in range(3):
            folder: Path = tmp_path_factory.mktemp(f"node{number}")
            port = cluster_port()
            options = ["--port", str(port), "--cluster-enabled", "yes", "--dir", str(folder), "--save", ""]
            arguments = [server_binary(), *options, "--bind", "127.0.0.1", "--appendonly", "no"]
            server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.kill)
            clients.append(Endpoint("127.0.0.1", port).client(5))
        for number, client in enumerate(clients):
            wait_for(lambda client=client: bool(client.ping()), "a node did not start")  # type: ignore[misc]
            share = range(number * SLOTS // 3, (number + 1) * SLOTS // 3)
            client.execute_command("CLUSTER", "ADDSLOTS", *share)
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", port_of(clients[0]))
        for client in clients:
            wait_for(lambda client=client: is_formed(client), "the cluster did not form")  # type: ignore[misc]
        yield clients


def port_of(client: redis.Redis) -> int:
    port: int = client.connection_pool.connection_kwargs["port"]
    return port


def is_formed(client: redis.Redis) -> bool:
    info = client.execute_command("CLUSTER", "INFO")
    return b"cluster_state:ok" in info and b"cluster_known_nodes:3" in info


@pytest.fixture
def store(nodes: list[redis.Redis]) -> ServedRedisOnlineStore:
    for node in nodes:
        node.flushall()
        node.script_flush()
    return ServedRedisOnlineStore()


def config_of(nodes: list[redis.Redis]):  # type: ignore[no-untyped-def]
    config = repo_config(Endpoint("127.0.0.1", 1), redis_type="redis_cluster")
    config.online_store.connection_string = ",".join(f"127.0.0.1:{port_of(node)}" for node in nodes)
    return config


def table(price: float, event: datetime = KNOWN):  # type: ignore[no-untyped-def]
    rows = {"item_id": [f"i{i}" for i in range(COUNT)], "price": [price] * COUNT}
    return with_timestamps(rows, [event] * COUNT, [event] * COUNT)


def read_back(store: ServedRedisOnlineStore, nodes: list[redis.Redis]) -> set[float]:
    keys = [EntityKey(join_keys=["item_id"], entity_values=[Value(string_val=f"i{i}")]) for i in range(COUNT)]
    return {row[1]["price"].float_val for row in store.online_read(config_of(nodes), VIEW, keys, ["price"])}


def test_the_newest_row_wins_on_every_node(store: ServedRedisOnlineStore, nodes: list[redis.Redis]) -> None:
    config = config_of(nodes)
    for price, days in ((1.0, 1), (2.0, 3), (3.0, 2)):
        rows = feast_rows(table(price, KNOWN + timedelta(days=days)), VIEW)
        store.online_write_batch(config, VIEW, rows, None)
    assert read_back(store, nodes) == {2.0}
    assert all(node.dbsize() > COUNT // 6 for node in nodes)


def test_bulk_writes_return_the_number_of_written_rows(store: ServedRedisOnlineStore, nodes: list[redis.Redis]) -> None:
    layout = layout_of(VIEW, PROJECT, "prices")
    writer = store.writer(config_of(nodes))
    chunks = [
        rows_of_batch(batch, layout)
        for age in (2, 1, 3)
        for batch in table(float(age), KNOWN + timedelta(days=age)).to_batches()
    ]
    assert list(writer.write_all(chunks)) == [(COUNT, COUNT), (COUNT, 0), (COUNT, COUNT)]
    assert read_back(store, nodes) == {3.0}


def test_writes_follow_a_slot_that_moves(store: ServedRedisOnlineStore, nodes: list[redis.Redis]) -> None:
    """The client still writes to the old owner: first while the slot moves (ASK), then after it has moved (MOVED)."""
    config, layout = config_of(nodes), layout_of(VIEW, PROJECT, "prices")
    writer = store.writer(config)
    (batch,) = table(1.0).to_batches()
    rows = rows_of_batch(batch.slice(0, 1), layout)
    slot = key_slot(rows.keys[0].as_py())
    owner = store.client(config).nodes_manager.get_node_from_slot(slot).port
    old = next(node for node in nodes if port_of(node) == owner)
    new = next(node for node in nodes if node is not old)
    old_id, new_id = (node.execute_command("CLUSTER", "MYID").decode() for node in (old, new))
    new.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
    old.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
    assert writer.write(rows) == 1
    assert [node.dbsize() for node in (old, new)] == [0, 1]
    for node in nodes:
        node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new_id)
    (newer,) = table(2.0, KNOWN + timedelta(days=1)).to_batches()
    assert writer.write(rows_of_batch(newer, layout)) == COUNT
    assert read_back(store, nodes) == {2.0}
