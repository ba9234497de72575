"""Submissions as files.

parquet  ``user_id`` string, ``product_ids`` list<string>
CSV      the same columns; ``product_ids`` is a JSON list, because ids may hold spaces and commas
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from infra.durable_file import write_durably
from training.recommend.errors import BadSubmission, BadTarget
from training.recommend.submission import SCHEMA, Submission

Format = Literal["parquet", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)


def format_of(path: Path, given: str | None = None) -> Format:
    """``given``, or that of the file's ending. Raises BadTarget."""
    found = given or path.suffix.removeprefix(".").lower()
    if found not in FORMATS:
        raise BadTarget(f"{path}: the form is {found!r}; there are {', '.join(FORMATS)} (--format), and database URLs")
    return found


def ready_file(path: Path) -> None:
    """Make its folder. Raises BadTarget if the file cannot be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BadTarget(f"{path} cannot be written: {error}") from error
    if path.is_dir():
        raise BadTarget(f"{path} cannot be written: it is a folder")


def write_submission(submission: Submission, path: Path, form: Format) -> None:
    """Write the file; it is complete or absent. Raises BadTarget."""
    buffer = io.BytesIO()
    if form == "parquet":
        pq.write_table(submission.table(), buffer, compression="zstd")
    else:
        text = io.TextIOWrapper(buffer, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text)
        writer.writerow(SCHEMA.names)
        writer.writerows(
            (user, json.dumps(list(items), ensure_ascii=False))
            for user, items in zip(submission.users, submission.items, strict=True)
        )
        text.detach()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, buffer.getvalue())
    except OSError as error:
        raise BadTarget(f"{path} cannot be written: {error}") from error


def read_submission(path: Path, form: Format | None = None) -> Submission:
    """Raises BadSubmission or BadTarget."""
    form = form or format_of(path)
    try:
        return Submission.of_table(pq.read_table(path) if form == "parquet" else _read_csv(path))
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise BadTarget(f"{path} cannot be read: {error}") from error


def _read_csv(path: Path) -> pa.Table:
    csv.field_size_limit(1 << 24)  # the default is too small for long lists
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write the mark
            rows = list(csv.DictReader(file))
        items = [json.loads(row["product_ids"]) for row in rows]
        return pa.table({"user_id": [row["user_id"] for row in rows], "product_ids": items}, schema=SCHEMA)
    except UnicodeDecodeError:
        raise
    except (csv.Error, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadSubmission(f"{path}: user_id and product_ids, a JSON list, are needed in each row: {error}") from error
