"""``python -m training.training_set``: write slates, labels and point-in-time features to one parquet file.

The rows of a slate are contiguous and in input order. The slates are in the order in which they were scored. The
recipe beside the file makes it reproducible: ``--known-at`` with the recipe's timestamp builds the same content again,
also after later data has arrived. Labels are made by the adapters (:mod:`feature_repo.datasets`), and for served slates
by :mod:`training.training_set.served_slates`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.view import FEATURE_SERVICE
from feature_repo.definitions.views import views
from feature_repo.derived.categories import Numbering, category_entities
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.offline.errors import OfflineError
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.replay_start import NoLog, log_end
from feature_repo.schema import TIMESTAMP, Declaration
from feature_repo.store import open_store
from feature_repo.times.time_split import BadSplit, TimeSplit, time_split
from infra.arguments import timestamp
from infra.command import command_params, command_settings
from infra.duckdb_connection import connect
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.training_set.content_hash import ContentHash
from training.training_set.levels import ENTITY
from training.training_set.recipe import Recipe, feature_service_hash
from training.training_set.served_slates import NOT_SHOWN, Served

SLATES_PER_CHUNK = 2000
TRAINING_SET_FILE = "training_set.parquet"
RECIPE_FILE = "recipe.json"


def training_schema(declaration: Declaration, *, served: bool = False) -> pa.Schema:
    """Keys, label and split, then all model features in order. ``served`` slates also have ``shown_position``.

    A category is its text, and its field says whose text it is.
    """
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
    keys += [pa.field("shown_position", pa.int32(), False)] if served else []
    entities = category_entities(declaration)
    return pa.schema(keys + [_feature_field(f.name, entities.get(f.name)) for f in model_features(declaration)])


def _feature_field(name: str, entity: str | None) -> pa.Field:
    if entity is None:
        return pa.field(name, pa.float32())
    return pa.field(name, pa.dictionary(pa.int32(), pa.string()), metadata={ENTITY: entity})


def write_training_set(
    settings: Settings,
    split_params: dict[str, Any] | None,
    known_at: datetime | None = None,
    served: Served | None = None,
) -> Recipe:
    """Write the training set and its recipe, each atomically. ``known_at``: by default the newest timestamp of log and
    features.

    ``served``: slates to use instead of the log's. Their training set is written beside them and has only the rows
    that were shown.

    Raises DatasetError, OfflineError, BadSplit or RedisServerError.
    """
    declaration = declaration_of(settings)
    known_at = known_at or newest_known(settings, declaration, served)
    reader = PointInTimeReader(open_store(settings, known_at=known_at), declaration)
    source = settings.log_dir / "impressions.parquet" if served is None else served.path
    slates = _slates(settings, source, known_at)
    split = time_split(split_params, slates["shown_us"].to_numpy())
    folder = settings.training_dir if served is None else served.path.parent
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TRAINING_SET_FILE
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    content, entity_rows = ContentHash(training_schema(declaration, served=served is not None)), None
    try:
        with (
            pq.ParquetWriter(partial, content.schema, compression="zstd") as writer,
            tqdm(total=len(slates), unit="slate", desc="training set", mininterval=2) as progress,
        ):
            for impressions in _chunks(settings, source, slates):
                entity_rows = entity_rows or ContentHash(impressions.schema)
                entity_rows.update(impressions)
                table = _chunk_table(impressions.to_pandas(), reader, declaration, split, content.schema)
                content.update(table)
                writer.write_table(table)
                progress.update(len(set(table["slate_id"].to_pylist())))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    assert entity_rows is not None  # _slates returns at least one slate
    recipe = Recipe(
        dataset=settings.dataset,
        feature_service=FEATURE_SERVICE,
        feature_service_hash=feature_service_hash(current_contract(settings.dataset, declaration)),
        entity_rows_hash=entity_rows.hexdigest(),
        known_at=known_at.astimezone(UTC).isoformat(),
        split=split.timestamps(),
        slates=len(slates),
        rows=content.rows,
        content_hash=content.hexdigest(),
    )
    recipe.write(folder / RECIPE_FILE)
    return recipe


def newest_known(settings: Settings, declaration: Declaration, served: Served | None = None) -> datetime:
    """The newest timestamp at which data of log or features became known. Raises DatasetError."""
    connection = connect(settings)
    try:
        timestamps = [log_end(settings.log_dir), *([served.until] if served is not None else [])]
        for view in views(declaration):
            path = settings.features_dir / f"{view.name}.parquet"
            timestamps += connection.execute(f"SELECT max(created_timestamp) FROM read_parquet('{path}')").fetchall()[0]
    except (NoLog, duckdb.Error) as error:
        raise DatasetError(str(error).splitlines()[0]) from error
    return max(timestamp for timestamp in timestamps if timestamp is not None)


def _slates(settings: Settings, source: Path, known_at: datetime) -> pd.DataFrame:
    """(slate_id, shown_us, chunk), in the order of the training set."""
    connection = connect(settings)
    frame: pd.DataFrame = connection.execute(
        f"""
        SELECT slate_id, any_value(epoch_us(shown_ts)) AS shown_us
        FROM read_parquet('{source}')
        WHERE shown_ts <= ? GROUP BY slate_id ORDER BY shown_us, slate_id
        """,
        [known_at],
    ).df()
    if frame.empty:
        raise DatasetError(f"{source} has no slate up to {known_at.isoformat()}")
    frame["chunk"] = np.arange(len(frame)) // SLATES_PER_CHUNK
    return frame


def _chunks(settings: Settings, source: Path, slates: pd.DataFrame) -> Iterator[pa.Table]:
    """The impressions of whole slates, in chunks of SLATES_PER_CHUNK slates."""
    connection = connect(settings)
    connection.register("slates", slates)
    connection.execute(
        f"""
        CREATE TEMP TABLE ordered AS
        SELECT i.*, chunk FROM read_parquet('{source}') i JOIN slates USING (slate_id)
        """
    )
    for chunk in range(int(slates["chunk"].max()) + 1):
        yield connection.sql(
            f"""
            SELECT * EXCLUDE (chunk) FROM ordered WHERE chunk = {chunk}
            ORDER BY shown_ts, slate_id, input_position
            """
        ).to_arrow_table()


def _chunk_table(
    impressions: pd.DataFrame,
    reader: PointInTimeReader,
    declaration: Declaration,
    split: TimeSplit,
    schema: pa.Schema,
) -> pa.Table:
    slates = list(reader.read(impressions))
    numbering = Numbering()
    matrix = np.concatenate([feature_matrix(slate, declaration, numbering) for slate in slates])
    shown_us = np.repeat([slate.scored_us for slate in slates], [len(slate) for slate in slates])
    keys = {
        **{name: impressions[name] for name in ("slate_id", "user_id", "session_id", "item_id")},
        "event_timestamp": shown_us,
        "position": impressions["input_position"],
        **{name: impressions[name] for name in ("label", "relevant_total")},
        "split": split.of(shown_us),
        "shown_position": impressions["shown_position"],
    }
    names = [f.name for f in model_features(declaration)]
    columns = {**keys, **{name: matrix[:, j] for j, name in enumerate(names)}}
    is_labelled = (impressions["label"] != NOT_SHOWN).to_numpy()
    return pa.table(
        [column_of(field, np.asarray(columns[field.name])[is_labelled], numbering) for field in schema], schema=schema
    )


def column_of(field: pa.Field, values: npt.NDArray[Any], numbering: Numbering) -> pa.Array:
    """A column of the training set; ``values`` of a category are the numbers of its texts."""
    return numbering.column(field.name, values) if pa.types.is_dictionary(field.type) else pa.array(values, field.type)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.training_set", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--known-at", type=timestamp, metavar="TIMESTAMP", help="leave out data that became known later"
    )
    arguments = parser.parse_args(argv)
    settings = command_settings()
    params = command_params(settings)
    try:
        recipe = write_training_set(settings, params.get("split"), arguments.known_at)
    except (DatasetError, OfflineError, BadSplit, RedisServerError) as error:
        print(f"training.training_set: {error}", file=sys.stderr)
        return 2
    print(f"{recipe.rows} rows of {recipe.slates} slates, content {recipe.content_hash}, known at {recipe.known_at}")
    return 0
