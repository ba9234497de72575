"""What build and the gate say of a table of a user's own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from feature_repo.build import own_views
from feature_repo.datasets.errors import BadSource
from feature_repo.definitions import own_files
from feature_repo.definitions.view import Origin, View
from feature_repo.schema import Column, DType

STARS = Column("stars", DType.FLOAT32, "mean stars", nullable=True)
ORIGIN = Origin("warehouse", "known_at", "loaded_at")
VIEW = View("quality", "item", "", timedelta(days=1), "", timedelta(0), (STARS,), ORIGIN)
HEAD = "item_id,known_at,loaded_at,stars\n"


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(own_files, "PROJECT", tmp_path)
    (tmp_path / "warehouse").mkdir()
    return tmp_path / "warehouse"


def copied(warehouse: Path) -> list[tuple[object, ...]]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    own_views.write(connection, VIEW, ORIGIN, warehouse.parent)
    path = warehouse.parent / "quality.parquet"
    times = "epoch(event_timestamp)::BIGINT, epoch(created_timestamp)::BIGINT"
    return connection.sql(f"SELECT item_id, {times}, stars FROM read_parquet('{path}') ORDER BY ALL").fetchall()


def test_files_of_a_folder_are_one_table_and_ids_stay_as_they_are(warehouse: Path) -> None:
    (warehouse / "a.csv").write_text(HEAD + "007,1970-01-01T00:00:01,,4.5\n")
    (warehouse / "b.csv").write_text(HEAD + "7,1970-01-01T01:00:02+01:00,1970-01-01T00:00:09,\n")
    (warehouse / "README").write_text("not read")
    assert copied(warehouse) == [("007", 1, 1, 4.5), ("7", 2, 9, None)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "quality is read from here, and there is no file .parquet, .csv"),
        ({"a.csv": HEAD, "b.jsonl": "{}"}, "there is files of several kinds: csv, jsonl"),
        ({"a.csv": "item_id,known_at,stars\n"}, "has no column loaded_at; it has item_id, known_at, stars"),
        ({"a.csv": HEAD + ",2024-01-01,,1\n"}, "column 'item_id': 1 rows have none"),
        ({"a.csv": HEAD + "a,2024-01-01,,five\n"}, "five"),
    ],
)
def test_what_cannot_be_copied_is_named(warehouse: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (warehouse / name).write_text(text)
    with pytest.raises(BadSource, match=rf"warehouse.*{message}"):
        copied(warehouse)


def test_lists_of_a_users_own_are_not_aligned_by_their_names() -> None:
    lists = tuple(Column(name, DType.STRING_LIST, "", nullable=True) for name in ("tag_names", "tag_colours"))
    assert View("built", "user", "", timedelta(days=1), "", timedelta(0), lists).aligned_lists == [
        [c.name for c in lists]
    ]
    assert View("own", "user", "", timedelta(days=1), "", timedelta(0), lists, ORIGIN).aligned_lists == []
