"""Errors of the adapters and of the readers of a log.

DatasetError                  a source or a log is wrong; a command prints the message and exits with 2
└── BadSource(file, ...)      a source file is missing or holds what the contract forbids
"""

from __future__ import annotations

from pathlib import Path


class DatasetError(Exception):
    """A source or a log is wrong. The message names what is wrong and what to do."""


class BadSource(DatasetError):
    """A source file is wrong. The message names the file and, if known, the column and the row (from 1)."""

    def __init__(self, file: Path, problem: str, column: str | None = None, row: int | None = None) -> None:
        location = str(file)
        if column is not None:
            location += f", column {column!r}"
        if row is not None:
            location += f", row {row}"
        super().__init__(f"{location}: {problem}")
