"""The sizes of the pieces that the engine writes, and the rate limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import redis
from feast import FeatureStore, RepoConfig

from feature_repo.online import engine
from tests.feature_repo.online.price_table import (
    BULK,
    DAY,
    KNOWN,
    register,
    runs,
    write_prices,
)


def test_chunks_have_a_max_number_of_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHUNK_ROWS", 10)
    monkeypatch.setattr(engine, "CHUNK_BYTES", 1_000)
    short = pa.record_batch({"x": list(range(25))})  # 8 bytes a row
    long = pa.record_batch({"x": ["y" * 400] * 5})
    sizes = [chunk.num_rows for chunk in engine.chunks_of(iter([short, short.slice(0, 0), long]))]
    assert sizes == [10, 10, 5, 2, 2, 1]


def test_the_rate_limit_holds_for_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    monkeypatch.setattr(engine.time, "monotonic", lambda: now)
    monkeypatch.setattr(engine.time, "sleep", sleep)
    batches = [pa.record_batch({"x": list(range(1_000))})] * 3
    pieces = list(engine.paced(iter(batches), rows_per_second=1_000))
    assert pa.Table.from_batches(pieces).equals(pa.Table.from_batches(batches))
    assert {piece.num_rows for piece in pieces} == {1_000 // engine.PIECES_PER_SECOND}
    assert now == pytest.approx(3.0 - 1 / engine.PIECES_PER_SECOND)  # there is no wait after the last piece
    now += 10  # no burst follows a pause
    slept.clear()
    list(engine.paced(iter(batches[:1]), rows_per_second=1_000))
    assert sum(slept) > 0.9


def test_with_a_rate_limit_every_row_is_written(config: dict[str, Any], client: redis.Redis, tmp_path: Path) -> None:
    config["batch_engine"] = {"type": BULK, "rows_per_second": 2_000}
    store = FeatureStore(config=RepoConfig(**config))
    write_prices(tmp_path / "p.parquet", [(f"i{k}", KNOWN, KNOWN, float(k)) for k in range(300)])
    register(store, tmp_path / "p.parquet")
    store.materialize(KNOWN - DAY, KNOWN + DAY)
    (run,) = runs(client)
    assert (run.rows, run.written) == (300, 300)
