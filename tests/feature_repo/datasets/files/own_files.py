"""A user's own files written by hand, and the log that the adapter makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml

from feature_repo.datasets.files.adapter import write_log
from feature_repo.datasets.import_notes import ImportNote, read_notes
from infra.settings import Settings

Content = str | bytes | pd.DataFrame
Query = Callable[[str], list[tuple[Any, ...]]]

# One slate and one item, for tests of something else.
SLATE = "slate,user,session,item,at,place,label\nr,u,s,a,2024-05-01T12:00:00Z,0,1\n"
SLATES = """
  - table: impressions
    path: slates.csv
    columns:
      slate_id: {from: slate}
      user_id: {from: user}
      session_id: {from: session}
      item_id: {from: item}
      shown_ts: {from: at}
      input_position: {from: place}
      label: {from: label}
"""


class OwnLog:
    """``query``: on the log's tables. ``notes``: what was dropped, mended or made."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[ImportNote] = read_notes(folder)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for path in folder.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
        self.query: Query = lambda sql: connection.execute(sql).fetchall()

    def column(self, sql: str) -> list[Any]:
        return [row[0] for row in self.query(sql)]

    def noted(self, what: str) -> list[ImportNote]:
        return [note for note in self.notes if what in note.what]


class OwnFiles:
    """Writes files and a mapping below ``folder``, and makes the log."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder = folder / "own"
        self.out = folder / "log"
        self.settings = settings.model_copy(update={"params_file": folder / "params.yaml"})
        self.folder.mkdir()
        self.settings.params_file.write_text("log: {adapter: complete_journey}\n")

    def write(self, files: Mapping[str, Content], mapping: str, declaration: Mapping[str, Any] | None = None) -> None:
        """``mapping``: the section log as YAML, without adapter and input."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pd.DataFrame):
                content.to_parquet(path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        params = self.settings.params_file.parent / "params" / f"{self.settings.dataset}.yaml"
        params.parent.mkdir(exist_ok=True)
        section = {"adapter": "files", "input": str(self.folder), **yaml.safe_load(mapping)}
        params.write_text(yaml.safe_dump({"log": section}, sort_keys=False))
        if declaration is not None:
            (self.folder / "dataset.json").write_text(json.dumps(declaration))

    def log(
        self, files: Mapping[str, Content], mapping: str, declaration: Mapping[str, Any] | None = None, **more: Any
    ) -> OwnLog:
        self.write(files, mapping, declaration)
        write_log(self.out, source=None, settings=self.settings, **{"size": None, **more})
        return OwnLog(self.out)

    def events(self, content: Content, columns: str, name: str = "events.csv", more: str = "", **also: Any) -> OwnLog:
        """The log of one file of events beside one slate. ``columns``: YAML of one line. ``more``: of the entry."""
        entry = f"\n  - table: events\n    path: {name!r}\n    columns: {columns}\n{more}"
        return self.log({name: content, "slates.csv": SLATE}, f"files: {SLATES}{entry}", **also)

    def slates(self, content: Content, columns: str, name: str = "lists.csv", more: str = "", **also: Any) -> OwnLog:
        """The log of one file of slates and no events."""
        entry = f"\n  - table: impressions\n    path: {name!r}\n    columns: {columns}\n"
        return self.log({name: content}, f"files: {entry}{more}", **also)
