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
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import redis

from benchmarks.materialization.contenders import in_own_process, packed_hsets, run_side, server_only
from benchmarks.materialization.data import PROJECT, settings_in, write_tables
from feature_repo.online.rows import created_field
from infra.redis_server import server as redis_server


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


@contextmanager
def _world(rows: int, append_only: bool) -> Iterator[tuple[Path, redis.Redis]]:
    """A folder with the data, and an embedded Redis of its own, as the project starts it or without its file."""
    with tempfile.TemporaryDirectory(prefix="materialization-") as name:
        folder = Path(name)
        write_tables(folder, rows)
        client = redis_server.start(settings_in(folder)).client(60)
        client.config_set("appendonly", "yes" if append_only else "no")
        try:
            yield folder, client
        finally:
            redis_server.stop(settings_in(folder))


def _measure_view(view: str, rows: int, repeats: int, folder: Path, client: redis.Redis) -> dict[str, Any]:
    """In rounds, so that whatever else the machine does meets all alike."""
    pieces, rounds, equal = packed_hsets(view, folder), [], True
    for _ in range(repeats):
        ours, left = in_own_process("ours", view, folder), _fingerprints(client, view)
        feast = in_own_process("feast", view, folder)
        equal &= len(left) == rows and left == _fingerprints(client, view)
        rounds.append((ours, feast, server_only(client, pieces)))
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
        print(json.dumps(run_side(side, view, Path(folder))))
        return 0
    figures = measure(arguments.rows, arguments.repeats, append_only=not arguments.no_append_only)
    print(table(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["equal"] and figures["mixed"]["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
