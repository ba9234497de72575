"""A sample of the test slates, read point in time and laid out in memory as in serving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.model_features import model_features
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import Declaration
from feature_repo.slate import KINDS, ItemRows, Kind, Row, Slate, Texts
from feature_repo.store import open_store
from infra.duckdb_connection import connect
from infra.settings import Settings
from training.training_set.build import TRAINING_SET_FILE


def sampled_slates(
    settings: Settings, declaration: Declaration, known_at: datetime, count: int, seed: int
) -> Iterator[Slate]:
    """At most ``count`` test slates of the training set, in the order of time.

    Raises DatasetError, OfflineError or RedisServerError.
    """
    path = settings.training_dir / TRAINING_SET_FILE
    table = pq.read_table(path, columns=["slate_id"], filters=[("split", "=", "test")])
    ids = np.array(sorted(set(table["slate_id"].to_pylist())), dtype=object)
    chosen = np.random.default_rng(seed).permutation(len(ids))[:count]
    store = open_store(settings, known_at=known_at)
    connection = connect(settings)
    connection.register("chosen", pa.table({"slate_id": pa.array(ids[chosen], pa.string())}))
    impressions = connection.sql(
        f"""
        SELECT i.* FROM read_parquet('{settings.log_dir / "impressions.parquet"}') i JOIN chosen USING (slate_id)
        ORDER BY shown_ts, slate_id, input_position
        """
    ).to_arrow_table()
    for slate in PointInTimeReader(store, declaration).read(impressions.to_pandas()):
        yield as_served(slate, declaration)


def as_served(slate: Slate, declaration: Declaration) -> Slate:
    """``slate`` with its item columns in blocks, one of each kind."""
    return replace(slate, items=_item_rows(slate, declaration))


def first_time(slate: Slate) -> Slate:
    """``slate`` for a user and a session that nothing was computed of yet."""
    return replace(slate, user=Row(slate.user), session=Row(slate.session))


def _item_rows(slate: Slate, declaration: Declaration) -> ItemRows:
    kinds = {
        column.name: KINDS[column.dtype]
        for view in views(declaration)
        for column in view.columns
        if view.entity == "item" and view.name != ITEM_COMPANIONS.name
    }
    inputs = [feature.name for feature in model_features(declaration)]
    ordered = sorted(kinds, key=lambda name: inputs.index(name) if name in inputs else len(inputs))
    blocks: dict[Kind, list[npt.NDArray[Any]]] = {"floats": [], "timestamps": [], "numbers": []}
    positions: dict[str, tuple[Kind, int]] = {}
    texts = []
    for name in ordered:
        kind, values = kinds[name], slate.items[name]
        if kind == "numbers":
            texts.append(Texts())
            values = texts[-1].numbers(values.tolist())
        positions[name] = (kind, len(blocks[kind]))
        blocks[kind].append(values)
    return ItemRows(
        _block(blocks["floats"], len(slate), np.float32),
        _block(blocks["timestamps"], len(slate), np.float64),
        _block(blocks["numbers"], len(slate), np.int32),
        texts,
        positions,
        [name for name, (kind, _) in positions.items() if kind == "floats"],
    )


def _block(columns: list[npt.NDArray[Any]], rows: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """(rows, columns), row by row in memory."""
    return np.column_stack(columns).astype(dtype) if columns else np.empty((rows, 0), dtype)
