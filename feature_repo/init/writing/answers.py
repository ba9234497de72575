"""Answers of the command line: ``--set events.event_ts.format=%d/%m/%Y``.

TABLE.COLUMN.KEY=VALUE   of one column of the log, in all files of the table that have it
TABLE.KEY=VALUE          of the files themselves: events.where={type: [buy]}
KEY=VALUE, KEY.KEY=VALUE at the top: anonymous=drop, slates.targets=[like], ignore=[notes.csv]
FILE.format.KEY=VALUE    how a text file is written: ratings.dat.format.header=false
timezone=, title=, currency=   in dataset.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import FileFormat, SourceMapping
from feature_repo.init.writing.tree import Place, entries, flat

TABLES = ("items", "events", "impressions")
DECLARED = ("timezone", "title", "currency")
KEYS = ("where", "join", "format", "columns")


@dataclass
class Answers:
    """``columns``: (table, column, key or None) -> value. ``top``: (key, inner key or None) -> value."""

    columns: dict[tuple[str, str, str | None], Any] = field(default_factory=dict)
    files: dict[tuple[str, str], Any] = field(default_factory=dict)
    top: dict[tuple[str, str | None], Any] = field(default_factory=dict)
    formats: dict[str, FileFormat] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)

    @property
    def ignored(self) -> list[str]:
        return list(self.top.get(("ignore", None), ()))


def answers_of(texts: Sequence[str]) -> Answers:
    """Raises DatasetError for one that is none."""
    found = Answers()
    formats: dict[str, dict[str, Any]] = {}
    for text in texts:
        place, is_answer, value = text.partition("=")
        parts = place.strip().split(".")
        if not is_answer or not all(parts):
            raise DatasetError(f"--set {text}: write it as events.event_ts.format=%d/%m/%Y")
        if ".format." in place and parts[0] not in TABLES:
            file, key = place.strip().removeprefix("files.").rsplit(".format.", 1)
            formats.setdefault(file, {})[key] = _value(value) if key == "header" else value
        elif parts[0] in TABLES and len(parts) == 2 and parts[1] in KEYS:
            found.files[(parts[0], parts[1])] = _value(value)
        elif parts[0] in TABLES and len(parts) in (2, 3):
            found.columns[(parts[0], parts[1], parts[2] if len(parts) == 3 else None)] = _value(value)
        elif len(parts) == 1 and parts[0] in DECLARED:
            found.declared[parts[0]] = value.strip()
        elif parts[0] in SourceMapping.model_fields and parts[0] != "files" and len(parts) <= 2:
            listed = [_value(value)] if parts == ["ignore"] and not isinstance(_value(value), list) else _value(value)
            found.top[(parts[0], parts[1] if len(parts) == 2 else None)] = listed
        else:
            known = ", ".join([*TABLES, *(n for n in SourceMapping.model_fields if n != "files"), *DECLARED])
            raise DatasetError(f"--set {text}: {parts[0]!r} is none of {known}")
    for file, keys in formats.items():
        try:
            found.formats[file] = FileFormat.model_validate(keys)
        except ValueError as error:
            raise DatasetError(f"--set {file}.format: {error}") from error
    return found


def _value(text: str) -> Any:
    """A YAML value; a text that is none stands for itself, as %d/%m/%Y does."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text.strip()


def places_of(answers: Answers, tree: Mapping[str, Any]) -> dict[Place, Any]:
    """Where the answers stand in the section, with the whole value of each place. Raises DatasetError."""
    now = flat(tree)
    told: dict[Place, Any] = {}
    named = entries(tree.get("files"))
    for (table, column, key), value in answers.columns.items():
        having = [("files", each, "columns", column) for each in named if each[0] == table]
        present = [place for place in having if place in now] or having[:1]
        if not present:
            raise DatasetError(f"--set {table}.{column}: no file fills {table}")
        for place in present:
            before = told.get(place, now.get(place)) or {}
            told[place] = _with(before, key, value)
    for (table, key), value in answers.files.items():
        for each in named:
            if each[0] == table:
                told[("files", each, key)] = value
    for (name, inner), value in answers.top.items():
        before = told.get((name,), now.get((name,)))
        told[(name,)] = value if inner is None else {**(before or {}), inner: value}
    return told


def _with(before: Mapping[str, Any], key: str | None, value: Any) -> Any:
    """``from`` and ``value`` replace each other, and what belonged to the other source goes."""
    if key is None:
        return value
    if key == "from" and before.get("from") == "?":
        before = {}
    rivals = {
        "from": ("value", "relative"),
        "value": ("from", "relative", "map", "at_least"),
        "format": ("unit",),
        "unit": ("format",),
    }
    return {name: each for name, each in before.items() if name not in rivals.get(key, ())} | {key: value}
