"""Rows from the future: refused on the roads of the store, found and repaired where another client wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import redis
from feast import FeatureStore
from feast.infra.online_stores.redis import RedisOnlineStore

from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from feature_repo.definitions.views import views
from feature_repo.online import repair
from feature_repo.online.future import TOLERANCE
from feature_repo.online.repair import future_rows
from feature_repo.online.rows import BadRows
from feature_repo.online.store import ServedRedisOnlineStore
from feature_repo.store import open_store
from infra.clock import FixedClock, set_anchor
from infra.redis_server.server import endpoint, start, stop
from infra.settings import Settings
from tests.feature_repo.online.price_table import KNOWN, online, register, write_prices
from tests.serving import world

FAR = datetime.fromisoformat("2099-01-01T00:00:00+00:00")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A filled store of a service in replay mode, a minute after its rows."""
    made = world.settings_in(tmp_path, clock="replay")
    for name in ("state_dir", "data_dir", "dataset", "clock"):
        monkeypatch.setenv(f"RERANK_{name.upper()}", str(getattr(made, name)))
    start(made)
    set_anchor(made.clock_file, world.NOW)
    world.fill_store(made)
    yield made
    stop(made)


def write_as_another_client(monkeypatch: pytest.MonkeyPatch, settings: Settings, view: str, **values: object) -> None:
    """By the writer of Feast's own Redis store."""
    with monkeypatch.context() as patch:
        patch.setattr(ServedRedisOnlineStore, "online_write_batch", RedisOnlineStore.online_write_batch)
        world.write_row(settings, view, FAR, **values)


def found_in(settings: Settings) -> list[tuple[str, bytes]]:
    with endpoint(settings).client(5) as client:
        rows = future_rows(client, views(COMPLETE_JOURNEY), settings.dataset, FixedClock(world.NOW))
        return sorted((row.view.name, row.key) for row in rows)


def user_orders(settings: Settings) -> float | None:
    response = open_store(settings).get_online_features(["user_windows:user_orders_all"], [{"user_id": "u"}])
    found: float | None = response.to_dict()["user_orders_all"][0]
    return found


def test_a_push_from_the_future_is_refused_by_the_services_clock(settings: Settings) -> None:
    soon = world.NOW + TOLERANCE + timedelta(hours=1)
    assert soon < datetime.now(soon.tzinfo), "in the past of this machine, in the future of the service"
    with pytest.raises(BadRows, match=r"user_windows: 1 of 1 rows .* clock \(replay\)"):
        world.write_row(settings, "user_windows", soon, user_id="u", user_orders_all=9.0)
    assert user_orders(settings) == 4.0
    world.write_row(settings, "user_windows", world.NOW + timedelta(seconds=1), user_id="u", user_orders_all=9.0)
    assert user_orders(settings) == 9.0


def test_a_row_from_the_future_is_listed_and_then_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_as_another_client(monkeypatch, settings, "user_windows", user_id="u", user_orders_all=9.0)
    assert [view for view, _ in found_in(settings)] == ["user_windows"]
    assert repair.main(["--dry-run"]) == 1
    assert user_orders(settings) == 9.0
    assert repair.main([]) == 0
    assert "user_windows: " in capsys.readouterr().out
    assert found_in(settings) == []
    assert user_orders(settings) == 4.0
    assert repair.main(["--dry-run"]) == 0


def test_the_rows_of_a_project_whose_name_ends_with_this_ones_are_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = settings.model_copy(update={"dataset": f"another_{settings.dataset}"})
    world.fill_store(other)
    write_as_another_client(monkeypatch, other, "user_windows", user_id="u", user_orders_all=9.0)
    assert found_in(settings) == []
    assert len(found_in(other)) == 1


def test_a_materialization_ends_at_the_services_clock(store: FeatureStore, client: redis.Redis, tmp_path: Path) -> None:
    write_prices(tmp_path / "prices.parquet", [("a", KNOWN, KNOWN, 1.0), ("a", FAR, FAR, 9.0), ("b", FAR, FAR, 9.0)])
    register(store, tmp_path / "prices.parquet", ttl=timedelta(days=365))
    store.materialize(KNOWN - timedelta(days=1), FAR + timedelta(days=1))
    assert online(store, "a", "b") == [1.0, None]


def test_a_frame_with_a_row_from_the_future_is_refused_whole(
    store: FeatureStore, client: redis.Redis, tmp_path: Path
) -> None:
    write_prices(tmp_path / "prices.parquet", [("a", KNOWN, KNOWN, 1.0)])
    register(store, tmp_path / "prices.parquet")
    rows = {"item_id": ["a", "b"], "price": [1.0, 2.0], "event_timestamp": [KNOWN, FAR], "created_timestamp": KNOWN}
    with pytest.raises(BadRows, match="1 of 2 rows"):
        store.write_to_online_store("prices", pd.DataFrame(rows))
    assert online(store, "a", "b") == [None, None]
