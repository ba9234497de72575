"""Where a view's files may be, which errors bad files give, and which sources Feast's own store reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureView, Field, FileSource, OnDemandFeatureView
from feast.data_format import DeltaFormat
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from feast.types import Int64, String

from feature_repo.offline.errors import BadSource
from feature_repo.offline.store import AsofOfflineStore, NotByAsofJoin
from tests.feature_repo.offline.cases import Case, Frame
from tests.feature_repo.offline.retrieval import ENTITIES, NO_ON_DEMAND_VIEWS, config, entity_frame

T, HOUR = datetime(2024, 5, 1, tzinfo=UTC), timedelta(hours=1)
FRAME = Frame([{"shop": "a"}, {"shop": "b"}], [T + 2 * HOUR] * 2, {"shop": "string"})
CONFIG = config(Case((), FRAME), AsofOfflineStore)


def table(*rows: tuple[str, int, int]) -> pa.Table:
    """(shop, hours after T, stock)."""
    return pa.table(
        {
            "shop": [shop for shop, _, _ in rows],
            "at": pa.array([T + hours * HOUR for _, hours, _ in rows], pa.timestamp("us", "UTC")),
            "stock": [stock for _, _, stock in rows],
        }
    )


OLD, NEW = table(("b", 1, 20), ("a", 0, 10)), table(("a", 1, 11))


def view(path: Path | str, feature: str = "stock", **source: object) -> FeatureView:
    return FeatureView(
        name="stocks",
        entities=[ENTITIES["shop"]],
        ttl=timedelta(0),
        schema=[Field(name="shop", dtype=String), Field(name=feature, dtype=Int64)],
        source=FileSource(name="stock_files", path=str(path), **{"timestamp_field": "at", **source}),
    )


def stocks(view: FeatureView, feature: str = "stock", registry: object = NO_ON_DEMAND_VIEWS) -> list[object]:
    job = AsofOfflineStore.get_historical_features(
        CONFIG, [view], [f"stocks:{feature}"], entity_frame(FRAME), registry, "p"
    )
    return job.to_arrow()[feature].to_pylist()


def test_a_folder_means_all_its_parquet_files_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "2024" / "05").mkdir(parents=True)
    pq.write_table(OLD, tmp_path / "old.parquet")
    pq.write_table(NEW, tmp_path / "2024" / "05" / "new.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    assert stocks(view(tmp_path)) == [11, 20]


def test_a_glob_means_the_matching_files(tmp_path: Path) -> None:
    pq.write_table(OLD, tmp_path / "2024-04.parquet")
    pq.write_table(NEW, tmp_path / "2024-05.parquet")
    assert stocks(view(tmp_path / "2024-04*.parquet")) == [10, 20]
    assert stocks(view(tmp_path / "2024-??.parquet")) == [11, 20]


def test_a_hive_partition_can_be_a_feature_or_a_key(tmp_path: Path) -> None:
    pq.write_to_dataset(OLD, tmp_path, partition_cols=["shop"])
    pq.write_to_dataset(NEW.append_column("x", [[1]]), tmp_path, partition_cols=["shop"])
    assert stocks(view(tmp_path)) == [11, 20]
    pq.write_to_dataset(OLD, tmp_path / "by_stock", partition_cols=["stock"])
    assert stocks(view(tmp_path / "by_stock")) == [10, 20]


def test_a_partition_later_than_the_entity_rows_does_not_matter(tmp_path: Path) -> None:
    days = pa.concat_tables([OLD, NEW, table(("a", 24, 99))])
    pq.write_to_dataset(days.append_column("day", [["d1", "d1", "d1", "d2"]]), tmp_path, partition_cols=["day"])
    assert stocks(view(tmp_path)) == [11, 20]


def test_a_relative_path_starts_at_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(NEW, tmp_path / "new.parquet")
    monkeypatch.setattr(CONFIG, "repo_path", tmp_path)
    assert stocks(view("new.parquet")) == [11, None]


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    yield filesystem
    filesystem.rm("/features", recursive=True)


@pytest.mark.parametrize("path", ["memory://features/stock", "memory://features/stock/*.parquet"])
def test_a_url_is_read_through_its_filesystem(memory: fsspec.AbstractFileSystem, path: str) -> None:
    for name, rows in (("old", OLD), ("new", NEW)):
        with memory.open(f"/features/stock/{name}.parquet", "wb") as file:
            pq.write_table(rows, file)
    assert stocks(view(path)) == [11, 20]


def test_field_mapping_maps_the_columns_of_the_files(tmp_path: Path) -> None:
    pq.write_table(NEW.rename_columns(["SHOP_ID", "AT", "QTY"]), tmp_path / "new.parquet")
    mapped = view(tmp_path / "new.parquet", field_mapping={"SHOP_ID": "shop", "AT": "at", "QTY": "stock"})
    assert stocks(mapped) == [11, None]


def test_a_path_may_contain_a_quote(tmp_path: Path) -> None:
    pq.write_table(NEW, tmp_path / "o'clock.parquet")
    assert stocks(view(tmp_path / "o'clock.parquet")) == [11, None]


@pytest.mark.parametrize("path", ["missing.parquet", "missing", "missing/*.parquet", "empty"])
def test_the_error_names_missing_files_and_their_view(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadSource, match=f"(?s)feature view stocks.*{path.split('/')[0]}"):
        stocks(view(tmp_path / path))


def test_the_error_names_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "half.parquet").write_text("half")
    with pytest.raises(BadSource, match=r"(?s)feature view stocks.*half\.parquet"):
        stocks(view(tmp_path / "half.parquet"))


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({"feature": "price"}, "price"),
        ({"timestamp_field": "seen"}, "seen"),
        ({"created_timestamp_column": "made"}, "made"),
    ],
)
def test_the_error_names_a_missing_column_and_its_file(tmp_path: Path, wanted: dict[str, str], missing: str) -> None:
    pq.write_table(NEW, tmp_path / "new.parquet")
    with pytest.raises(BadSource, match=rf"feature view stocks.*new\.parquet has no column {missing}"):
        stocks(view(tmp_path / "new.parquet", **wanted), wanted.get("feature", "stock"))


@pytest.fixture
def feasts_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(to_arrow=lambda: pa.table({"stock": ["Feast's"]}))
    monkeypatch.setattr(DuckDBOfflineStore, "get_historical_features", staticmethod(lambda *_, **__: answer))


@pytest.mark.usefixtures("feasts_answer")
def test_feasts_store_reads_other_formats_than_parquet_with_a_warning() -> None:
    with pytest.warns(NotByAsofJoin, match="stocks is not stored as parquet files: joined by Feast's own"):
        assert stocks(view("/somewhere/table", file_format=DeltaFormat())) == ["Feast's"]


@pytest.mark.usefixtures("feasts_answer")
def test_feasts_store_handles_a_substrait_plan_with_a_warning(tmp_path: Path) -> None:
    pq.write_table(NEW, tmp_path / "new.parquet")
    plan = OnDemandFeatureView.__new__(OnDemandFeatureView)  # its constructor needs ibis-substrait
    plan.name, plan.mode = "stocks", "substrait"
    registry = SimpleNamespace(list_on_demand_feature_views=lambda *_, **__: [plan])
    with pytest.warns(NotByAsofJoin, match="stocks is a substrait plan: joined by Feast's own"):
        assert stocks(view(tmp_path / "new.parquet"), registry=registry) == ["Feast's"]


@pytest.mark.parametrize("form", ["arrow", "sql"])
def test_a_frame_that_feasts_store_does_not_accept_fails_there(tmp_path: Path, form: str) -> None:
    delta = view("/somewhere/table", file_format=DeltaFormat())
    rows = entity_frame(replace(FRAME, form=form), tmp_path)
    with pytest.warns(NotByAsofJoin), pytest.raises((AttributeError, TypeError)):
        AsofOfflineStore.get_historical_features(CONFIG, [delta], ["stocks:stock"], rows, NO_ON_DEMAND_VIEWS, "p")
