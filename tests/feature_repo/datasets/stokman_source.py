"""The four files of stokman written by hand, and the log that the adapter makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.datasets import stokman
from infra.settings import Settings

START = datetime(2024, 10, 1, tzinfo=UTC)
VIEW, LIKE, ADD, REMOVE, CLEAR, ORDER, LIST, VISIT, CATEGORY, SEARCH = range(10)
Query = Callable[[str], list[tuple[Any, ...]]]


def at(minutes: float = 0, days: float = 0) -> datetime:
    return START + timedelta(days=days, minutes=minutes)


def action(
    code: int,
    when: datetime,
    products: Sequence[str | None] | None = None,
    user: str | None = "1",
    cookie: str | None = "c",
    page: str | None = None,
) -> dict[str, Any]:
    return {
        "user_id": user,
        "loc_user_id": cookie,
        "action": code,
        "date": when.replace(tzinfo=None),
        "products": None if products is None else list(products),
        "pageId": page,
    }


def product(product_id: str | None, category: str = "k", **fields: Any) -> dict[str, Any]:
    known = {"add_date": at(days=-9).replace(tzinfo=None), "shop_id": "350", "price": 100, "old_price": 150}
    return {"product_id": product_id, "category_id": category, "title": "1 2", **known, **fields}


@dataclass(frozen=True)
class Source:
    """What the files hold. ``vectors``: one per product of the catalog by default."""

    actions: Sequence[dict[str, Any]] = ()
    catalog: Sequence[dict[str, Any]] = field(default_factory=lambda: [product("a"), product("b"), product("z", "m")])
    mapping: Sequence[tuple[Any, Any]] | None = None
    vectors: Any = None

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        names = [row["product_id"] for row in self.catalog]
        mapping = [(name, number) for number, name in enumerate(names)] if self.mapping is None else self.mapping
        vectors = np.eye(len(names), 3) if self.vectors is None else self.vectors
        pq.write_table(_actions(self.actions), folder / "train_actions.pq")
        pq.write_table(pa.Table.from_pylist(list(self.catalog)), folder / "stokman_catalog_preprocessed.pq")
        columns = {name: [row[i] for row in mapping] for i, name in enumerate(("product_id", "vector_id"))}
        pq.write_table(pa.table(columns), folder / "catalog_vector_mapping.pq")
        np.savez(folder / "vectors.npz", **(vectors if isinstance(vectors, dict) else {"vectors": vectors}))
        return folder


def _actions(rows: Sequence[dict[str, Any]]) -> pa.Table:
    schema = pa.schema(
        [
            ("user_id", pa.string()),
            ("loc_user_id", pa.string()),
            ("action", pa.int64()),
            ("date", pa.timestamp("us")),
            ("products", pa.list_(pa.string())),
            ("pageId", pa.string()),
        ]
    )
    return pa.Table.from_pylist(list(rows), schema=schema)


def adapt(folder: Path, out: Path, settings: Settings, size: int | None = None) -> Query:
    """Make the log, and return a query function on it."""
    stokman.write_log(out, source=folder, size=size, settings=settings)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for path in out.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
    return lambda query: connection.execute(query).fetchall()
