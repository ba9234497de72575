"""Batch scoring: the next items of many sessions.

    python -m training.gru4rec.export.batch_scoring --sessions IN.parquet --out OUT.parquet

In:   session_id string, items list of string or int64, oldest first; other columns are not read
Out:  session_id string, item_id string, rank int32 from 1, score float, popular bool

``popular`` marks sessions without a known item. Their rows are the popular items, with their support in train as
scores. The files are read and written in batches. The command needs the exported model, but not torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException
from tqdm import tqdm

from infra.command import command_params, command_settings
from training.gru4rec.config import read_config
from training.gru4rec.errors import BadLog, SequenceError
from training.gru4rec.sessions.processed import Vocabulary

SESSIONS_AT_ONCE = 4096
OUT_SCHEMA = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("popular", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True)
class BatchScorer:
    """``model``: the exported pyfunc_model.NextItems. ``items``: index -> id."""

    model: Any
    items: pa.Array

    @staticmethod
    def load(folder: Path) -> BatchScorer:
        """``folder``: the MLflow model, which must be trusted, because its code is run. Raises SequenceError."""
        if not (folder / "MLmodel").exists():
            raise SequenceError(f"{folder} has no model: run export_mlflow first")
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        items = Vocabulary.load(folder / "artifacts").items
        return BatchScorer(mlflow.pyfunc.load_model(str(folder)).unwrap_python_model(), pa.array(items))

    def score(self, sessions: pa.RecordBatch, k: int, exclude_seen: bool) -> pa.Table:
        """Rows of OUT_SCHEMA, session by session. Raises BadLog."""
        try:
            found = self.model.best(sessions["items"].to_pylist(), k, exclude_seen)
        except MlflowException as error:
            raise BadLog(error.message) from error
        rows = [(row, rank, i, s) for row, best in enumerate(found) for rank, (i, s) in _ranked(best)]
        row, rank, index, score = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
        popular = pa.array([best.popular for best in found], pa.bool_())
        columns = [
            sessions["session_id"].cast(pa.string()).take(pa.array(row, pa.int64())),
            self.items.take(pa.array(index, pa.int64())),
            pa.array(rank, pa.int32()),
            pa.array(score, pa.float32()),
            popular.take(pa.array(row, pa.int64())),
        ]
        return pa.Table.from_arrays(columns, schema=OUT_SCHEMA)


def score_file(scorer: BatchScorer, source: Path, out: Path, *, k: int, exclude_seen: bool) -> int:
    """Write ``out``, atomically. Returns the number of sessions. Raises BadLog."""
    part = out.with_name(f".{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    done = 0
    try:
        with pq.ParquetWriter(part, OUT_SCHEMA, compression="zstd") as writer:
            for batch in _batches(source):
                writer.write_table(scorer.score(batch, k, exclude_seen))
                done += batch.num_rows
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return done


def _ranked(best: Any) -> Iterator[tuple[int, tuple[int, float]]]:
    return enumerate(zip(best.indices, best.scores, strict=True), 1)


def _batches(source: Path) -> Iterator[pa.RecordBatch]:
    """Raises BadLog, which names the file and the column."""
    try:
        file = pq.ParquetFile(source)
    except (OSError, pa.ArrowException) as error:
        raise BadLog(f"{source} cannot be read: {str(error).splitlines()[0]}") from error
    schema = file.schema_arrow
    for name, fits, wanted in (("session_id", _is_id, "ids"), ("items", _is_list_of_ids, "lists of ids")):
        if name not in schema.names or not fits(schema.field(name).type):
            raise BadLog(f"{source}: the column {name!r} must hold {wanted}")
    with tqdm(total=file.metadata.num_rows, unit="session", disable=not sys.stderr.isatty()) as bar:
        for batch in file.iter_batches(SESSIONS_AT_ONCE, columns=["session_id", "items"]):
            for name in ("session_id", "items"):
                if batch[name].null_count:
                    row = bar.n + batch[name].is_null().index(True).as_py() + 1
                    raise BadLog(f"{source}, column {name!r}, row {row}: the value is missing")
            yield batch
            bar.update(batch.num_rows)


def _is_id(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind))


def _is_list_of_ids(kind: pa.DataType) -> bool:
    return bool((pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _is_id(kind.value_type))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.gru4rec.export.batch_scoring", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, help="parquet of session_id and items")
    parser.add_argument("--out", type=Path, required=True, help="parquet to write")
    parser.add_argument("--model", type=Path, help="folder of the MLflow model; default: the model of RERANK_DATASET")
    parser.add_argument("--k", type=int, default=100, help="items per session")
    parser.add_argument("--exclude-seen", action="store_true", help="leave out the session's own items")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        folder = arguments.model or read_config(command_params(settings), []).folders(settings).mlflow_model
        scorer = BatchScorer.load(folder)
        done = score_file(scorer, arguments.sessions, arguments.out, k=arguments.k, exclude_seen=arguments.exclude_seen)
    except SequenceError as error:
        print(f"training.gru4rec.export.batch_scoring: {error}", file=sys.stderr)
        return 2
    print(f"wrote {arguments.out}: {done:,} sessions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
