"""A small view through Feast and the embedded Redis, and the configuration of the store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float32, String

from feature_repo.definitions.repo_paths import REPO
from feature_repo.online.store import ServedRedisOnlineStoreConfig
from feature_repo.store import open_store, write_feature_store_yaml
from infra.redis_server import server as redis_server
from infra.redis_server.server import NoRedis
from infra.settings import Settings

KNOWN = datetime(2018, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None, state_dir=tmp_path / "a" / "state", data_dir=tmp_path / "data", dataset="shop", redis_url=None
    )


@pytest.fixture
def served(settings: Settings) -> Iterator[Settings]:
    redis_server.start(settings)
    yield settings
    redis_server.stop(settings)


def item_view(folder: Path) -> tuple[Entity, FeatureView]:
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    source = FileSource(
        name="price_parquet",
        path=str(folder / "price.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    schema = [Field(name="item_id", dtype=String), Field(name="price", dtype=Float32)]
    return item, FeatureView(
        name="price", entities=[item], ttl=timedelta(days=2), schema=schema, source=source, online=True
    )


def prices() -> pd.DataFrame:
    timestamps = pd.DatetimeIndex([KNOWN, KNOWN]).as_unit("us")
    return pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "event_timestamp": timestamps,
            "created_timestamp": timestamps,
            "price": pd.array([1.5, 2.5], dtype="float32"),
        }
    )


@pytest.mark.parametrize("method", ["write_to_online_store", "materialize"])
def test_written_values_are_read_again(served: Settings, tmp_path: Path, method: str) -> None:
    prices().to_parquet(tmp_path / "price.parquet")
    store = open_store(served)
    store.apply(list(item_view(tmp_path)))
    if method == "materialize":
        store.materialize(start_date=KNOWN - timedelta(days=1), end_date=KNOWN + timedelta(days=1))
    else:
        store.write_to_online_store("price", prices())
    rows = [{"item_id": name} for name in ("b", "unknown", "a")]
    found = open_store(served, offline=False).get_online_features(["price:price"], rows).to_dict()
    assert found["price"] == [2.5, None, 1.5]


def test_the_registry_and_the_folders_above_it_are_created(served: Settings, tmp_path: Path) -> None:
    assert not served.feast_registry.parent.exists()
    store = open_store(served)
    store.apply(list(item_view(tmp_path)))
    assert store.project == "shop"
    assert served.feast_registry.is_file()


def test_the_scorer_has_the_short_redis_timeout_and_the_pipeline_a_longer_one(served: Settings) -> None:
    scorer, pipeline = open_store(served, offline=False), open_store(served)
    assert "socket_timeout=0.25" in scorer.config.online_store.connection_string
    assert "socket_timeout=10.0" in pipeline.config.online_store.connection_string
    assert scorer.config.offline_store.type == "dask"
    assert pipeline.config.offline_store.type == "feature_repo.offline.store.AsofOfflineStore"


def test_without_redis_the_error_names_the_command_to_run(settings: Settings) -> None:
    with pytest.raises(NoRedis, match=r"python -m infra\.redis_server start"):
        open_store(settings)


def test_the_default_connection_is_the_configured_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_REDIS_URL", "redis://cache:6380/3")
    config = ServedRedisOnlineStoreConfig()
    assert config.connection_string.startswith("cache:6380,db=3,")


def test_the_written_yaml_has_the_project_and_the_absolute_registry_path(settings: Settings) -> None:
    body = yaml.safe_load(write_feature_store_yaml(settings).read_text())
    assert body["project"] == "shop"
    assert body["registry"]["path"] == str(settings.feast_registry.resolve())
    assert body["online_store"] == {"type": "feature_repo.online.store.ServedRedisOnlineStore"}


def test_feast_apply_works_without_a_running_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store connects to a configured URL only when it reads or writes."""
    simulated = settings.model_copy(update={"dataset": "simulated"})
    yaml_file = write_feature_store_yaml(simulated)
    monkeypatch.setenv("RERANK_DATASET", "simulated")
    monkeypatch.setenv("RERANK_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("RERANK_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("RERANK_REDIS_URL", "redis://127.0.0.1:1/0")
    feast = Path(sys.executable).with_name("feast")
    command = [str(feast), "-f", str(yaml_file), "-c", str(REPO), "apply"]
    done = subprocess.run(command, cwd=settings.data_dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert simulated.feast_registry.is_file()
