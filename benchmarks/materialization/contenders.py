"""What is measured: our store and Feast's own, each in a process of its own, and the server alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import redis
from feast import FeatureStore, RepoConfig

from benchmarks.materialization.data import KNOWN, PROJECT, feature_views, settings_in
from feature_repo.online.call_packing import bulk_string, bulk_strings
from feature_repo.online.engine import chunks_of
from feature_repo.online.redis_format.byte_columns import content, joined, positions
from feature_repo.online.rows import Rows, event_field, feature_field, layout_of, rows_of_batch
from feature_repo.store import open_store
from infra.redis_server import server as redis_server


def _open(side: str, folder: Path) -> FeatureStore:
    """``ours`` as feature_store.yaml has it; ``feast`` with Feast's DuckDB store, local engine and Redis store."""
    settings = settings_in(folder)
    if side == "ours":
        return open_store(settings)
    return FeatureStore(
        config=RepoConfig(
            project=PROJECT,
            provider="local",
            registry=str(folder / "feast.db"),
            offline_store={"type": "duckdb"},
            online_store={
                "type": "redis",
                "connection_string": redis_server.endpoint(settings).feast_connection_string,
            },
            batch_engine={"type": "local"},
            entity_key_serialization_version=3,
            materialization={"online_write_batch_size": 10_000},
            repo_path=folder,
        )
    )


def run_side(side: str, view: str, folder: Path) -> dict[str, float]:
    """In the child: seconds into an emptied Redis, seconds over the same rows again (ours), and peak memory."""
    store = _open(side, folder)
    store.apply(feature_views(folder))

    def seconds(name: str) -> float:
        started = time.perf_counter()
        store.materialize(KNOWN - timedelta(days=1), KNOWN + timedelta(days=3), feature_views=[name])
        return time.perf_counter() - started

    seconds(f"{view}_warm_up")
    redis_server.endpoint(settings_in(folder)).client(60).flushall()
    base = _peak_bytes()
    found = {"fresh_s": seconds(view), "peak_bytes": float(_peak_bytes() - base)}
    return found | ({"again_s": seconds(view)} if side == "ours" else {})


def _peak_bytes() -> int:
    """Of this process, so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this benchmark runs on Linux")


def in_own_process(side: str, view: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.materialization", "--child", side, view, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-4000:]}")
    return cast("dict[str, float]", json.loads(done.stdout.splitlines()[-1]))


def packed_hsets(view: str, folder: Path) -> list[tuple[pa.Buffer, int]]:
    """The rows as HSETs with Feast's own fields, and how many, in pieces."""
    feature_view = next(each for each in feature_views(folder) if each.name == view)
    layout = layout_of(feature_view, PROJECT, view)
    batches = pq.read_table(folder / f"{view}.parquet").to_batches()
    return [_hsets(rows_of_batch(batch, layout)) for batch in chunks_of(iter(batches))]


def server_only(client: redis.Redis, pieces: list[tuple[pa.Buffer, int]]) -> float:
    """Seconds that the server takes for the packed HSETs."""
    client.flushall()
    connection: Any = client.connection_pool.get_connection()
    started = time.perf_counter()
    for packed, commands in pieces:
        connection.send_packed_command([packed])
        for _ in range(commands):
            connection.read_response()
    taken = time.perf_counter() - started
    client.connection_pool.release(connection)
    return taken


def _hsets(rows: Rows) -> tuple[pa.Buffer, int]:
    names = [event_field(rows.view), *(feature_field(rows.view, name) for name in rows.values)]
    columns = [rows.event, *rows.values.values()]
    parts: list[Any] = [b"*%d\r\n$4\r\nHSET\r\n" % (2 + 2 * len(names)), bulk_strings(rows.keys)]
    for name, column in zip(names, columns, strict=True):
        parts += [bulk_string(name), bulk_strings(column)]
    packed = joined(*parts)
    return content(packed)[: int(positions(packed)[-1])], len(rows)
