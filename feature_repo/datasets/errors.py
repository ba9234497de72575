"""What an adapter, or whoever reads its log, refuses.

DatasetError                  anything wrong with a source or a log; a command prints it and exits with 2
└── BadSource(file, ...)      a source file that is missing or holds what the contract forbids
"""

from __future__ import annotations

from pathlib import Path


class DatasetError(Exception):
    """Base of everything an adapter refuses."""


class BadSource(DatasetError):
    """A source file is refused. Names the file and, where known, the column and the row (from 1)."""

    def __init__(self, file: Path, problem: str, column: str | None = None, row: int | None = None) -> None:
        position = str(file)
        if column is not None:
            position += f", column {column!r}"
        if row is not None:
            position += f", row {row}"
        super().__init__(f"{position}: {problem}")
