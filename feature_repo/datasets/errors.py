"""Errors of the adapters and of the readers of a log.

DatasetError                  a source or a log is wrong; a command prints the message and exits with 2
├── BadSource(file, ...)      a source file is missing or holds what the contract forbids
└── BadSources([...])         several of them, which are independent of each other
"""

from __future__ import annotations

from collections.abc import Sequence
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


class BadSources(DatasetError):
    """Several faults of source files, one line each."""

    def __init__(self, faults: Sequence[DatasetError]) -> None:
        super().__init__("\n".join((f"{len(faults)} problems:", *(f"  {fault}" for fault in faults))))


def raise_all(faults: Sequence[DatasetError]) -> None:
    """Nothing without faults; one is raised itself, more as BadSources."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise BadSources(faults)
