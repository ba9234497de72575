"""The guess as the section ``log``, and that section as a flat table: place -> value.

A place is ("files", entry, "columns", name) for a column, ("files", entry, key) for another key of an entry, and (key,)
for what stands at the top. An entry is (table, path, number among those of the same table and path).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from feature_repo.init.guess.decisions import UNKNOWN, FileGuess, Guess

Entry = tuple[str, str, int]
Place = tuple[Any, ...]


def tree_of(guess: Guess, source: str) -> dict[str, Any]:
    """The section ``log``; ``source`` is the input."""
    tree: dict[str, Any] = {"adapter": "files", "input": source, "files": [entry_of(each) for each in guess.files]}
    tree |= {name: setting.value for name, setting in guess.settings.items()}
    ignored = [name for name in guess.ignored if name not in guess.unread]
    return tree | ({"ignore": ignored} if ignored else {})


def entry_of(guess: FileGuess) -> dict[str, Any]:
    found: dict[str, Any] = {"table": guess.table, "path": guess.path}
    if written := _plain(guess.format):
        found["format"] = written
    if guess.join:
        found["join"] = [_plain(each) for each in guess.join]
    if guess.where:
        found["where"] = {name: list(texts) for name, texts in guess.where.items()}
    found["columns"] = {name: _plain(decision.values) for name, decision in guess.columns.items()}
    return found


def reasons_of(guess: Guess) -> dict[Place, str]:
    """Place -> why."""
    found: dict[Place, str] = {}
    for entry, file in zip(entries([entry_of(each) for each in guess.files]), guess.files, strict=True):
        found[("files", entry)] = file.reason
        for name, decision in file.columns.items():
            found[("files", entry, "columns", name)] = decision.reason
    found |= {(name,): setting.reason for name, setting in guess.settings.items()}
    found[("ignore",)] = "no part of the log; why, stands below"
    return found


def _plain(model: BaseModel) -> dict[str, Any]:
    dumped: dict[str, Any] = _simple(model.model_dump(by_alias=True, exclude_defaults=True))
    return dumped


def _simple(value: Any) -> Any:
    """Tuples as lists, of one as that one; whole floats as integers, because that is how one writes them."""
    if isinstance(value, Mapping):
        return {_simple(key): _simple(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        listed = [_simple(each) for each in value]
        return listed[0] if len(listed) == 1 else listed
    return int(value) if isinstance(value, float) and value.is_integer() else value


def entries(files: Any) -> list[Entry]:
    """The identity of each entry of the list ``files``."""
    found: list[Entry] = []
    for each in files if isinstance(files, list) else ():
        key = (str(each.get("table")), str(each.get("path")))
        found.append((*key, sum(other[:2] == key for other in found)))
    return found


def flat(tree: Mapping[str, Any]) -> dict[Place, Any]:
    """Place -> value of all that the section says."""
    found: dict[Place, Any] = {(name,): value for name, value in tree.items() if name != "files"}
    files = tree.get("files") or []
    for entry, body in zip(entries(files), files, strict=True):
        found[("files", entry)] = None
        for name, value in body.items():
            if name == "columns":
                found |= {("files", entry, "columns", column): made for column, made in (value or {}).items()}
            elif name not in ("table", "path"):
                found[("files", entry, name)] = value
    return found


def is_open(value: Any) -> bool:
    """Whether the user has still to say something in it."""
    if isinstance(value, Mapping):
        return any(map(is_open, value.values()))
    return any(map(is_open, value)) if isinstance(value, list) else value == UNKNOWN


def named(place: Place) -> str:
    """``events.event_ts``: as --set and the printed page name it."""
    if place[0] != "files":
        return ".".join(map(str, place))
    table, path, number = place[1]
    short = table if not number else f"{table}[{number}]"
    return (
        ".".join([short, *map(str, place[3:] if place[2:3] == ("columns",) else place[2:])])
        if place[2:]
        else f"{short} ({path})"
    )
