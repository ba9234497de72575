"""Guesses from a folder and runs of the command, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from feature_repo.init.__main__ import main
from feature_repo.init.guess.decisions import FileGuess, Guess
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import view_of
from feature_repo.init.guess.whole import guessed
from feature_repo.init.reading.tables import read_source


def views_in(folder: Path, connection: duckdb.DuckDBPyConnection) -> list[View]:
    return [view_of(connection, table) for table in read_source(connection, folder, folder).tables]


def guess_in(folder: Path) -> Guess:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = read_source(connection, folder, folder)
        views = [view_of(connection, table) for table in source.tables]
        return guessed(Sampled(connection), source, views)


def made(entry: FileGuess, column: str) -> dict[str, Any]:
    """How a column of the log is made, as YAML says it."""
    values = entry.columns[column].values.model_dump(by_alias=True, exclude_defaults=True)
    return {key: value[0] if isinstance(value, tuple) and len(value) == 1 else value for key, value in values.items()}


def only(guess: Guess, table: str) -> FileGuess:
    (entry,) = [each for each in guess.files if each.table == table]
    return entry


def asked(guess: Guess) -> set[str]:
    return {each.place for each in guess.questions}


def left_out(guess: Guess) -> dict[str, str]:
    return {each.column: each.reason for each in guess.left_out}


@dataclass(frozen=True)
class Project:
    """A folder with params.yaml. ``run`` calls the command and returns its exit status."""

    root: Path
    output: pytest.CaptureFixture[str]

    def run(self, source: Path, *arguments: str, name: str = "shop") -> tuple[int, str]:
        """(exit status, what was printed)."""
        self.output.readouterr()
        try:
            status = main([name, "--input", str(source), *arguments])
        except SystemExit as stop:
            status = int(str(stop.code))
        printed = self.output.readouterr()
        return status, printed.out + printed.err

    def params(self, name: str = "shop") -> Path:
        return self.root / "params" / f"{name}.yaml"

    def declaration(self, name: str = "shop") -> Path:
        return self.root / "params" / f"{name}.dataset.json"

    def log(self, name: str = "shop") -> dict[str, Any]:
        section: dict[str, Any] = yaml.safe_load(self.params(name).read_text())["log"]
        return section

    def entry(self, table: str, number: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = [each for each in self.log()["files"] if each["table"] == table][number]
        return found
