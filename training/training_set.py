"""``python -m training.training_set``: slates, labels and point-in-time features in one parquet file.

Rows of a slate are contiguous and in input order; slates are ordered by the moment they were scored.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from tqdm import tqdm

from feature_repo.datasets.declarations import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.duck import connect
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import TIMESTAMP, Declaration
from feature_repo.store import open_store
from infra.redis_server import RedisServerError
from infra.settings import Settings
from training.point_in_time import PointInTimeReader, bound_memory
from training.time_split import BadSplit, TimeSplit, time_split

SLATES_PER_CHUNK = 500
TRAINING_SET_FILE = "training_set.parquet"


def training_schema(declaration: Declaration) -> pa.Schema:
    """Keys, label and split, then every model feature in order."""
    keys = [
        pa.field("slate_id", pa.string(), False),
        pa.field("user_id", pa.string(), False),
        pa.field("session_id", pa.string(), False),
        pa.field("item_id", pa.string(), False),
        pa.field("event_timestamp", TIMESTAMP, False),
        pa.field("position", pa.int32(), False),
        pa.field("label", pa.int32(), False),
        pa.field("relevant_total", pa.int32(), False),
        pa.field("split", pa.string(), False),
    ]
    return pa.schema(keys + [pa.field(f.name, pa.float32()) for f in model_features(declaration)])


def write_training_set(settings: Settings, split_params: dict[str, Any] | None) -> None:
    """Raises DatasetError, BadSplit or RedisServerError; the file appears complete or not at all."""
    declaration = declaration_of(settings)
    bound_memory(settings)
    reader = PointInTimeReader(open_store(settings), declaration)
    slates = _slates(settings)
    split = time_split(split_params, slates["shown_us"].to_numpy())
    settings.training_dir.mkdir(parents=True, exist_ok=True)
    path = settings.training_dir / TRAINING_SET_FILE
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    schema = training_schema(declaration)
    try:
        with (
            pq.ParquetWriter(partial, schema, compression="zstd") as writer,
            tqdm(total=len(slates), unit="slate", desc="training set", mininterval=2) as progress,
        ):
            for impressions in _chunks(settings, slates):
                table = _chunk_table(impressions, reader, declaration, split, schema)
                writer.write_table(table)
                progress.update(int((~impressions["slate_id"].duplicated()).sum()))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _slates(settings: Settings) -> pd.DataFrame:
    """(slate_id, shown_us, chunk), in the order of the training set."""
    connection = connect(settings)
    frame: pd.DataFrame = connection.execute(
        f"""
        SELECT slate_id, any_value(epoch_us(shown_ts)) AS shown_us
        FROM read_parquet('{settings.log_dir / "impressions.parquet"}')
        GROUP BY slate_id ORDER BY shown_us, slate_id
        """
    ).df()
    if frame.empty:
        raise DatasetError(f"{settings.log_dir / 'impressions.parquet'} holds no slate")
    frame["chunk"] = np.arange(len(frame)) // SLATES_PER_CHUNK
    return frame


def _chunks(settings: Settings, slates: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Impressions of whole slates, chunk by chunk."""
    connection = connect(settings)
    connection.register("slates", slates)
    connection.execute(
        f"""
        CREATE TEMP TABLE ordered AS
        SELECT i.*, chunk FROM read_parquet('{settings.log_dir / "impressions.parquet"}') i JOIN slates USING (slate_id)
        """
    )
    for chunk in range(int(slates["chunk"].max()) + 1):
        yield connection.execute(
            f"""
            SELECT * EXCLUDE (chunk) FROM ordered WHERE chunk = {chunk}
            ORDER BY shown_ts, slate_id, input_position
            """
        ).df()


def _chunk_table(
    impressions: pd.DataFrame,
    reader: PointInTimeReader,
    declaration: Declaration,
    split: TimeSplit,
    schema: pa.Schema,
) -> pa.Table:
    slates = list(reader.read(impressions))
    matrix = np.concatenate([feature_matrix(slate, declaration) for slate in slates])
    shown_us = np.repeat([slate.scored_us for slate in slates], [len(slate) for slate in slates])
    keys = {
        **{name: impressions[name] for name in ("slate_id", "user_id", "session_id", "item_id")},
        "event_timestamp": shown_us,
        "position": impressions["input_position"],
        **{name: impressions[name] for name in ("label", "relevant_total")},
        "split": split.of(shown_us),
    }
    names = [f.name for f in model_features(declaration)]
    columns = {**keys, **{name: matrix[:, j] for j, name in enumerate(names)}}
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in schema}, schema=schema)


def main() -> int:
    settings = Settings()
    params = yaml.safe_load(settings.params_file.read_text())
    try:
        write_training_set(settings, (params.get("split") or {}).get(settings.dataset))
    except (DatasetError, BadSplit, RedisServerError) as error:
        print(f"training.training_set: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
