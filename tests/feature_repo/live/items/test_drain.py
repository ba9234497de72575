"""The consumer of changes of items."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import redis

from feature_repo.datasets.errors import DatasetError
from feature_repo.live.day_files import put_days_together
from feature_repo.live.event import fingerprint
from feature_repo.live.items import drain as drain_module
from feature_repo.live.items.acceptance import ItemKeys, OfferedChange, StoredRow, accept_commands
from feature_repo.live.items.change import ItemChange, Texts
from feature_repo.live.items.drain import ItemDrain
from feature_repo.live.items.files import ITEM_CHANGES, SCHEMA
from feature_repo.online.redis_format.entity_keys import ids_in
from feature_repo.schema import Declaration
from infra.clock import epoch_us

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
KEYS = ItemKeys("shop")
DECLARATION = Declaration("shop", "a shop")


def accept(client: redis.Redis, now: datetime, *changes: tuple[str, str, Texts]) -> None:
    made = [ItemChange(change_id=id, item_id=item, values=values) for id, item, values in changes]
    stored = StoredRow(1, {"brand": "b"})
    offered = [OfferedChange(each, fingerprint(each), stored) for each in made]
    for command in accept_commands(KEYS, offered, epoch_us(now)):
        connection = client.connection_pool.get_connection()
        connection.send_packed_command([command])
        connection.read_response()
        client.connection_pool.release(connection)


def drain(live_dir: Path, events: redis.Redis, features: redis.Redis) -> int:
    return ItemDrain("shop", live_dir, events, features, lambda: DECLARATION).drain()


def logged(live_dir: Path) -> list[str]:
    return [id for path in ITEM_CHANGES.files(live_dir) for id in pq.read_table(path)["change_id"].to_pylist()]


def test_accepted_changes_are_complete_in_the_log_by_day_and_no_longer_in_the_stream(
    tmp_path: Path, events: redis.Redis, features: redis.Redis
) -> None:
    accept(events, NOON, ("c1", "a", {"price": "1.50", "in_stock": None}))
    accept(events, NOON + timedelta(days=1), ("c2", "a", {"price": "2.00"}))
    assert drain(tmp_path, events, features) == 2
    first, second = ITEM_CHANGES.files(tmp_path)
    assert [path.parent.name for path in (first, second)] == ["day=2024-03-01", "day=2024-03-02"]
    assert pq.read_schema(first).equals(SCHEMA)
    assert pq.read_table(first).to_pylist() == [
        {"change_id": "c1", "item_id": "a", "received_ts": NOON, "changed": ["in_stock", "price"],
         "columns": ["brand", "in_stock", "price"], "texts": ["b", None, "1.50"]}
    ]  # fmt: skip
    assert events.xlen(KEYS.stream) == 0
    assert [ids_in(key, ["item_id"], "shop") for key in features.scan_iter()] == [[b"a"]]
    assert put_days_together(tmp_path, ITEM_CHANGES) == 0
    accept(events, NOON, ("c3", "b", {"price": "1.00"}))
    drain(tmp_path, events, features)
    assert put_days_together(tmp_path, ITEM_CHANGES) == 1
    assert sorted(logged(tmp_path)) == ["c1", "c2", "c3"]
    assert len(ITEM_CHANGES.files(tmp_path)) == 2


@pytest.mark.parametrize("dies_in", ["item_rows", "xack"])
def test_the_next_consumer_drains_the_batch_of_a_consumer_that_died(
    dies_in: str, tmp_path: Path, events: redis.Redis, features: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    accept(events, NOON, ("c1", "a", {"price": "1.00"}))
    with monkeypatch.context() as patch:
        patch.setattr(redis.client.Pipeline if dies_in == "xack" else drain_module, dies_in, die)
        with pytest.raises(KeyboardInterrupt):
            drain(tmp_path, events, features)
    accept(events, NOON, ("c2", "a", {"price": "2.00"}))
    assert drain(tmp_path, events, features) == 2
    assert logged(tmp_path) == ["c1", "c2"]


def test_an_entry_that_is_no_change_is_set_aside_and_a_value_of_a_wrong_type_stops_nothing(
    tmp_path: Path, events: redis.Redis, features: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    accept(events, NOON, ("c1", "a", {"price": "1.00"}))
    events.xadd(KEYS.stream, {b"received": b"1", b"change": b"{", b"row": b"{}"})
    events.xadd(KEYS.stream, {b"received": b"soon", b"change": b"{}", b"row": b"{}"})
    accept(events, NOON, ("c2", "b", {"price": "cheap"}))
    assert drain(tmp_path, events, features) == 2
    assert logged(tmp_path) == ["c1", "c2"]
    assert events.xlen(KEYS.dead) == 2
    assert "the rows of 2 changes of items are not written again" in caplog.text


def test_without_a_declaration_the_changes_are_logged_all_the_same(
    tmp_path: Path, events: redis.Redis, features: redis.Redis
) -> None:
    def fail() -> Declaration:
        raise DatasetError("no log here")

    accept(events, NOON, ("c1", "a", {"price": "1.00"}))
    assert ItemDrain("shop", tmp_path, events, features, fail).drain() == 1
    assert logged(tmp_path) == ["c1"]
    assert features.dbsize() == 0
