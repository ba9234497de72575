"""``python -m feature_repo.datasets.samples.stokman --out DIR``: the four files of stokman, of any size.

With ``--catalog DIR`` the catalog and the mapping are those in DIR, otherwise they are made. The actions begin when
almost all products have been added. The actions follow :mod:`feature_repo.datasets.samples.stokman.shoppers`: sessions,
repeated purchases, and interests that lead to purchases. The command prints what it planted.

Everything depends on the seed. People are made in parts, each written as one row group, so that memory does not grow
with the number of rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.samples.stokman.actions import rows_of
from feature_repo.datasets.samples.stokman.catalog import (
    DAY_US,
    Catalog,
    catalog_of,
    made_tables,
    read_tables,
    title_vectors,
)
from feature_repo.datasets.samples.stokman.shoppers import People, people, sessions
from feature_repo.datasets.samples.stokman.truth import Truth
from feature_repo.datasets.stokman_log.source_files import ACTIONS_FILE, CATALOG_FILE, MAPPING_FILE
from feature_repo.datasets.stokman_log.vectors import VECTORS_FILE

USERS, ROWS, ITEMS, DAYS, SEED = 20_000, 1_000_000, 20_000, 120, 7
ROWS_AT_ONCE = 1_000_000
PILOT = 3_000  # people whose rows tell how active all must be


def write_sample(
    out: Path, users: int, rows: int, seed: int, *, catalog: Path | None = None, items: int = ITEMS, days: int = DAYS
) -> list[str]:
    """Write the four files, each complete or not at all: about ``rows`` actions of at most ``users`` people.

    Returns what was planted, in lines of text. Raises BadSource for a ``catalog`` that cannot be read.
    """
    rng = np.random.default_rng([seed, 0])
    table, mapping = read_tables(catalog) if catalog else made_tables(rng, items)
    out.mkdir(parents=True, exist_ok=True)
    for name, each in ((CATALOG_FILE, table), (MAPPING_FILE, mapping)):
        with _whole(out / name) as partial:
            pq.write_table(each, partial)
    with _whole(out / VECTORS_FILE) as partial, partial.open("wb") as file:
        np.savez(file, vectors=title_vectors(table["title"], _rows_of_vectors(table, mapping)))
    shop = catalog_of(rng, table)
    everyone = people(rng, users)
    truth = Truth(users, shop.start_us + days * DAY_US)
    with _whole(out / ACTIONS_FILE) as partial:
        _write_actions(partial, shop, everyone, rows, seed, days, truth)
    return truth.report()


def _write_actions(path: Path, shop: Catalog, everyone: People, rows: int, seed: int, days: int, truth: Truth) -> None:
    factor = rows / (everyone.activity.sum() * _rows_per_activity(shop, seed, days))
    users = len(everyone.activity)
    at_once = max(1, min(users, users * ROWS_AT_ONCE // rows))
    writer: pq.ParquetWriter | None = None
    with tqdm(total=users, unit="person", desc="sampling", mininterval=1) as progress:
        for part, first in enumerate(range(0, users, at_once)):
            rng = np.random.default_rng([seed, 2, part])
            some = everyone.part(first, min(first + at_once, users))
            visits = sessions(rng, shop, some, days, factor)
            table, lines = rows_of(rng, shop, visits)
            truth.add(table, visits, lines)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            progress.update(len(some.activity))
    if writer is not None:
        writer.close()


def _rows_per_activity(shop: Catalog, seed: int, days: int) -> float:
    """Rows of one person of activity 1, on average."""
    rng = np.random.default_rng([seed, 1])
    drawn = people(rng, PILOT)
    pilot = People(0, np.ones(PILOT), drawn.buying, drawn.has_account, drawn.devices)
    table, _ = rows_of(rng, shop, sessions(rng, shop, pilot, days, 1.0))
    return float(table.num_rows / PILOT)


def _rows_of_vectors(catalog: pa.Table, mapping: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(vectors,) the catalog's row of each vector."""
    row = {product: number for number, product in enumerate(catalog["product_id"].to_pylist())}
    vector = mapping["vector_id"].to_numpy()
    found = np.zeros(int(vector.max()) + 1, np.int64)
    found[vector] = [row[product] for product in mapping["product_id"].to_pylist()]
    return found


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A path to write to. It becomes ``path`` if nothing is raised."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.datasets.samples.stokman", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the four files")
    parser.add_argument("--users", type=int, default=USERS, help=f"people; default {USERS:,}")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"actions, about; default {ROWS:,}")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--catalog", type=Path, help="folder with the real catalog and mapping; default: made ones")
    parser.add_argument("--items", type=int, default=ITEMS, help=f"products of a made catalog; default {ITEMS:,}")
    parser.add_argument("--days", type=int, default=DAYS, help=f"length of the actions; default {DAYS}")
    arguments = parser.parse_args(argv)
    for name, least in (("users", 1), ("rows", 1), ("items", 1), ("days", 4)):
        if getattr(arguments, name) < least:
            parser.error(f"--{name} must be at least {least}")
    try:
        planted = write_sample(
            arguments.out, arguments.users, arguments.rows, arguments.seed,
            catalog=arguments.catalog, items=arguments.items, days=arguments.days,
        )  # fmt: skip
    except BadSource as error:
        print(f"feature_repo.datasets.samples.stokman: {error}", file=sys.stderr)
        return 2
    print("\n".join(planted))
    print(f"wrote {arguments.out}")
    return 0
