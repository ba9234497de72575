"""The point-in-time join and materialization, ours and what else there is, on the same data.

    python -m benchmarks.offline [--json FILE] [--large] [--huge] [--ttl-days N]

The join: entity rows (1 million; ``--large`` 5 million too) with three views of 28 features, all to an Arrow
table from a frame in memory; each contender in a process of its own, warmed up once. What claims the whole
contract is compared value by value. Feast's own is left out of the large one, which it would make minutes long.
``--huge`` joins 20 million rows with four views, from parquet to parquet, under a memory limit. Materialization:
see :mod:`benchmarks.materialization`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.child import Measured, in_child
from benchmarks.materialization.__main__ import measure as measure_materialization
from benchmarks.offline.join_contenders import CONTRACT, LOOSE, asof_store, feature_store, references
from benchmarks.offline.join_data import FOURTH, TTL_DAYS, VIEWS, entity_path, write_data
from training.training_set.content_hash import ContentHash

ROWS, LARGE_ROWS, HUGE_ROWS = 1_000_000, 5_000_000, 20_000_000
MEMORY_LIMIT = "3GB"
SQL = ("chained_sql", "deduplicated_sql")


def content(table: pa.Table) -> tuple[str, bool]:
    """(hash of the rows in their order, whether they came in it)."""
    numbers = table["entity_row"]
    in_order = pc.all(pc.equal(numbers, pa.array(range(len(table))))).as_py()
    names = sorted(table.column_names)
    ordered = (table if in_order else table.sort_by("entity_row")).select(names)
    at = names.index("event_timestamp")
    ordered = ordered.set_column(at, "event_timestamp", ordered["event_timestamp"].cast(pa.timestamp("us", "UTC")))
    texts = {name for name in names if name.endswith("_id")}
    ordered = ordered.cast(pa.schema([(f.name, pa.string() if f.name in texts else f.type) for f in ordered.schema]))
    found = ContentHash(ordered.schema.remove_metadata())
    found.update(ordered.replace_schema_metadata())
    return found.hexdigest(), bool(in_order)


def join(rows: int, repeats: int, without: set[str], ttl_days: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="join-") as name:
        folder = Path(name)
        source_rows = write_data(folder, rows, ttl_days=ttl_days)
        features = sum(view.features for view in VIEWS)
        print(f"\nJoin of {rows:,} entity rows, sources {source_rows}, {features} features, ttl {ttl_days} days")
        measured: dict[str, Measured] = {}
        for contender, prepare in {**CONTRACT, **LOOSE}.items():
            if contender not in without:
                measured[contender] = in_child(
                    prepare, folder, MEMORY_LIMIT, warm_ups=1, repeats=repeats, digest=content
                )
                _line(contender, measured[contender], measured["ours"])
    hashes = {name: measured[name].result[0] for name in CONTRACT if name in measured}
    if len(set(hashes.values())) != 1:
        raise SystemExit(f"the joins that should follow the time contract differ: {hashes}")
    print(f"  equal, value by value: {', '.join(hashes)}")
    sql = min((measured[name] for name in SQL if name in measured), key=lambda m: m.median_s)
    return {
        "rows": rows,
        "ttl_days": ttl_days,
        "source_rows": source_rows,
        **{f"{name}_s": round(each.median_s, 3) for name, each in measured.items()},
        **{f"{name}_peak_mb": round(each.peak_mb) for name, each in measured.items()},
        "in_order": {name: each.result[1] for name, each in measured.items()},
        "contract_sql_s": round(sql.median_s, 3),
        "contract_sql_peak_mb": round(sql.peak_mb),
    }


def _line(name: str, found: Measured, ours: Measured) -> None:
    order = "in order" if found.result[1] else "unordered"
    print(
        f"  {name:18s} {found.median_s:7.2f} s  {found.median_s / ours.median_s:6.2f} x ours"
        f"  peak {found.peak_mb:6.0f} MB (base {found.base_mb:.0f})  {order}",
        flush=True,
    )


def prepare_huge(folder: Path, memory_limit: str) -> Callable[[], int]:
    """Entity rows by SQL, features streamed to parquet: neither is ever whole in memory."""
    views = (*VIEWS, FOURTH)
    store = feature_store(folder, views, asof_store(folder, memory_limit))

    def run() -> int:
        job = store.get_historical_features(f"SELECT * FROM '{entity_path(folder)}'", references(views))
        batches = job.to_arrow_reader()
        with pq.ParquetWriter(folder / "joined.parquet", batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return int(pq.read_metadata(folder / "joined.parquet").num_rows)

    return run


def itself(value: Any) -> Any:
    return value


def huge() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="huge-") as name:
        folder = Path(name)
        write_data(folder, HUGE_ROWS, (*VIEWS, FOURTH))
        found = in_child(prepare_huge, folder, MEMORY_LIMIT, warm_ups=0, repeats=1, digest=itself)
    if found.result != HUGE_ROWS:
        raise SystemExit(f"{HUGE_ROWS} entity rows gave {found.result}")
    print(f"\n{HUGE_ROWS:,} rows, 4 views, DuckDB limited to {MEMORY_LIMIT}: {found.median_s:.0f} s, ", end="")
    print(f"peak {found.peak_mb:.0f} MB (base {found.base_mb:.0f})")
    return {"rows": HUGE_ROWS, "ours_s": round(found.median_s, 1), "ours_peak_mb": round(found.peak_mb)}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rows", type=int, default=ROWS, help="entity rows of the join")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ttl-days", type=int, default=TTL_DAYS, help="of all views")
    parser.add_argument("--without", nargs="*", default=[], metavar="CONTENDER")
    parser.add_argument("--large", action="store_true", help=f"also {LARGE_ROWS:,} entity rows")
    parser.add_argument("--huge", action="store_true", help=f"also {HUGE_ROWS:,} rows under a memory limit")
    parser.add_argument("--only-join", action="store_true")
    arguments = parser.parse_args(argv)
    without = set(arguments.without)
    found: dict[str, Any] = {"join": join(arguments.rows, arguments.repeats, without, arguments.ttl_days)}
    if arguments.large:
        found["join_large"] = join(LARGE_ROWS, 1, without | {"feast_duckdb"}, arguments.ttl_days)
    if arguments.huge:
        found["join_huge"] = huge()
    if not arguments.only_join:
        found["materialize"] = measure_materialization()
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
