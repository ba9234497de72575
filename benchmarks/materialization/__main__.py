"""Materialization into Redis: ours and Feast's own, the same data, the same server.

    python -m benchmarks.materialization [--rows N] [--repeats N] [--no-append-only] [--json FILE]

Two views of one row per key: ``floats``, 12 float features; ``mixed``, strings, lists and numbers with nulls. Each
run is a process of its own, first on a few rows to warm up, then on all, Redis emptied before; the medians are
shown. *Server only* is what Redis takes for the same rows as HSETs packed beforehand. What both left in Redis is
compared hash by hash, but for our own field.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Array, Float32, Int64, String

from feature_repo.online.call_packing import bulk_string, bulk_strings
from feature_repo.online.engine import chunks_of
from feature_repo.online.redis_format.byte_columns import content, joined, positions
from feature_repo.online.rows import Rows, created_field, event_field, feature_field, layout_of, rows_of_batch
from feature_repo.store import open_store
from infra.redis_server import server as redis_server
from infra.settings import Settings

PROJECT = "bench"
WARM_UP_ROWS = 1_000
SEED = 7
KNOWN = datetime(2024, 5, 1, tzinfo=UTC)
FLOATS = [f"feature_{i:02d}" for i in range(12)]
MIXED = {
    "category": String,
    "brand": String,
    "price": Float32,
    "old_price": Float32,
    "first_seen_us": Int64,
    "companion_items": Array(String),
    "companion_shares": Array(Float32),
    "companion_us": Array(Int64),
}


# ------------------------------------------------------------------------------------------ data


def _keys(rows: int) -> pa.Array:
    return pa.array([f"item-{i:08d}" for i in range(rows)])


def _timestamps(rows: int) -> dict[str, pa.Array]:
    event = np.int64(KNOWN.timestamp() * 1e6) + np.arange(rows) % 86_400 * 1_000_003
    utc = pa.timestamp("us", "UTC")
    return {"event_timestamp": pa.array(event, utc), "created_timestamp": pa.array(event + 1_800_000_000, utc)}


def floats_table(rows: int) -> pa.Table:
    values = np.random.default_rng(SEED).random((len(FLOATS), rows), np.float32)
    return pa.table({"item_id": _keys(rows), **_timestamps(rows), **dict(zip(FLOATS, values, strict=True))})


def mixed_table(rows: int) -> pa.Table:
    """A fifth of the scalars and a tenth of the lists are null; lists have up to 20 elements."""
    draw = np.random.default_rng(SEED)
    sizes = draw.integers(0, 21, rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    total = int(sizes.sum())
    no_scalar, no_list = draw.random(rows) < 0.2, pa.array(draw.random(rows) < 0.1)

    def lists(elements: pa.Array) -> pa.Array:
        return pa.ListArray.from_arrays(offsets, elements, mask=no_list)

    return pa.table(
        {
            "item_id": _keys(rows),
            **_timestamps(rows),
            "category": pa.array([f"category {i}" for i in draw.integers(0, 300, rows)], mask=no_scalar),
            "brand": pa.array([f"Märke {i}" for i in draw.integers(0, 3_000, rows)]),
            "price": pa.array(draw.random(rows, np.float32) * 100, mask=no_scalar),
            "old_price": pa.array(draw.random(rows, np.float32) * 100),
            # Below 2**53, beyond which Feast's own conversion of a column with nulls is not exact.
            "first_seen_us": pa.array(draw.integers(1, 2_000_000_000_000_000, rows), mask=no_scalar),
            "companion_items": lists(pa.array([f"item-{i:08d}" for i in draw.integers(0, rows, total)])),
            "companion_shares": lists(pa.array(draw.random(total, np.float32))),
            "companion_us": lists(pa.array(draw.integers(0, 2_000_000_000_000_000, total))),
        }
    )


TABLES: dict[str, Callable[[int], pa.Table]] = {"floats": floats_table, "mixed": mixed_table}
FIELDS: dict[str, dict[str, Any]] = {"floats": dict.fromkeys(FLOATS, Float32), "mixed": MIXED}


def feature_views(folder: Path) -> list[Any]:
    """The entity, both views, and a small copy of each to warm up with."""
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    views = [
        FeatureView(
            name=name,
            entities=[item],
            ttl=timedelta(days=30),
            schema=[Field(name="item_id", dtype=String), *(Field(name=n, dtype=t) for n, t in fields.items())],
            source=FileSource(
                name=f"{name}_parquet",
                path=str(folder / f"{name}.parquet"),
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp",
            ),
        )
        for view, fields in FIELDS.items()
        for name in (view, f"{view}_warm_up")
    ]
    return [item, *views]


def _write_tables(folder: Path, rows: int) -> None:
    for name, table in TABLES.items():
        pq.write_table(table(rows), folder / f"{name}.parquet")
        pq.write_table(table(WARM_UP_ROWS), folder / f"{name}_warm_up.parquet")


# ----------------------------------------------------------------------------------------- sides


def _settings(folder: Path) -> Settings:
    return Settings(_env_file=None, state_dir=folder / "var", data_dir=folder, dataset=PROJECT, redis_url=None)


def _open(side: str, folder: Path) -> FeatureStore:
    """``ours`` as feature_store.yaml has it; ``feast`` with Feast's DuckDB store, local engine and Redis store."""
    settings = _settings(folder)
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


def _run_side(side: str, view: str, folder: Path) -> dict[str, float]:
    """In the child: seconds into an emptied Redis, seconds over the same rows again (ours), and peak memory."""
    store = _open(side, folder)
    store.apply(feature_views(folder))

    def seconds(name: str) -> float:
        started = time.perf_counter()
        store.materialize(KNOWN - timedelta(days=1), KNOWN + timedelta(days=3), feature_views=[name])
        return time.perf_counter() - started

    seconds(f"{view}_warm_up")
    redis_server.endpoint(_settings(folder)).client(60).flushall()
    base = _peak_bytes()
    found = {"fresh_s": seconds(view), "peak_bytes": float(_peak_bytes() - base)}
    return found | ({"again_s": seconds(view)} if side == "ours" else {})


def _peak_bytes() -> int:
    """Of this process, so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this benchmark runs on Linux")


def _child(side: str, view: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.materialization", "--child", side, view, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-4000:]}")
    return cast("dict[str, float]", json.loads(done.stdout.splitlines()[-1]))


def _packed_hsets(view: str, folder: Path) -> list[tuple[pa.Buffer, int]]:
    """The rows as HSETs with Feast's own fields, and how many, in pieces."""
    feature_view = next(each for each in feature_views(folder) if each.name == view)
    layout = layout_of(feature_view, PROJECT, view)
    batches = pq.read_table(folder / f"{view}.parquet").to_batches()
    return [_hsets(rows_of_batch(batch, layout)) for batch in chunks_of(iter(batches))]


def _server_only(client: redis.Redis, pieces: list[tuple[pa.Buffer, int]]) -> float:
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


def _fingerprints(client: redis.Redis, view: str) -> dict[bytes, bytes]:
    """Each hash's content without our own field, as a digest."""
    ours, found = created_field(view), {}
    keys = [key for key in client.scan_iter(count=10_000) if key.endswith(PROJECT.encode()) and key[:1] == b"\x01"]
    for start in range(0, len(keys), 5_000):
        with client.pipeline(transaction=False) as pipeline:
            for key in keys[start : start + 5_000]:
                pipeline.hgetall(key)
            for key, fields in zip(keys[start : start + 5_000], pipeline.execute(), strict=True):
                fields.pop(ours, None)
                found[key] = hashlib.sha1(repr(sorted(fields.items())).encode(), usedforsecurity=False).digest()
    return found


# --------------------------------------------------------------------------------------- figures


@contextmanager
def _world(rows: int, append_only: bool) -> Iterator[tuple[Path, redis.Redis]]:
    """A folder with the data, and an embedded Redis of its own, as the project starts it or without its file."""
    with tempfile.TemporaryDirectory(prefix="materialization-") as name:
        folder = Path(name)
        _write_tables(folder, rows)
        client = redis_server.start(_settings(folder)).client(60)
        client.config_set("appendonly", "yes" if append_only else "no")
        try:
            yield folder, client
        finally:
            redis_server.stop(_settings(folder))


def _measure_view(view: str, rows: int, repeats: int, folder: Path, client: redis.Redis) -> dict[str, Any]:
    """In rounds, so that whatever else the machine does meets all alike."""
    pieces, rounds, equal = _packed_hsets(view, folder), [], True
    for _ in range(repeats):
        ours, left = _child("ours", view, folder), _fingerprints(client, view)
        feast = _child("feast", view, folder)
        equal &= len(left) == rows and left == _fingerprints(client, view)
        rounds.append((ours, feast, _server_only(client, pieces)))
    ours_s = median(ours["fresh_s"] for ours, _, _ in rounds)
    feast_s = median(feast["fresh_s"] for _, feast, _ in rounds)
    server_s = median(server for _, _, server in rounds)
    return {
        "rows": rows,
        "rows_per_s": rows / ours_s,
        "rewrite_rows_per_s": rows / median(ours["again_s"] for ours, _, _ in rounds),
        "feast_rows_per_s": rows / feast_s,
        "server_only_rows_per_s": rows / server_s,
        "times_feast": feast_s / ours_s,
        "times_server_only": ours_s / server_s,
        "peak_bytes_per_row": max(ours["peak_bytes"] for ours, _, _ in rounds) / rows,
        "feast_peak_bytes_per_row": max(feast["peak_bytes"] for _, feast, _ in rounds) / rows,
        "equal": equal,
    }


def measure(rows: int = 200_000, repeats: int = 3, *, append_only: bool = True) -> dict[str, Any]:
    """The figures of the 12-float view, and under ``mixed`` those of the other.

    Medians over ``repeats`` rounds, the largest of the peaks; ``equal`` in every round. Peak memory is that of the
    process above what it held after warming up. Without ``append_only`` Redis keeps no file.
    """
    with _world(rows, append_only) as (folder, client):
        figures = _measure_view("floats", rows, repeats, folder, client)
        return figures | {"mixed": _measure_view("mixed", rows, repeats, folder, client)}


def table(figures: dict[str, Any]) -> str:
    names = [name for name in figures if name != "mixed"]
    lines = [f"{'':26}{'12 floats':>14}{'mixed':>14}"]
    for name in names:
        one, other = figures[name], figures["mixed"][name]
        form = "" if isinstance(one, bool) else ",.1f" if name.startswith("times") else ",.0f"
        lines.append(f"{name:26}{format(one, form)!s:>14}{format(other, form)!s:>14}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.materialization", description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--no-append-only", action="store_true", help="Redis without its append-only file")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.child:
        side, view, folder = arguments.child
        print(json.dumps(_run_side(side, view, Path(folder))))
        return 0
    figures = measure(arguments.rows, arguments.repeats, append_only=not arguments.no_append_only)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["equal"] and figures["mixed"]["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
