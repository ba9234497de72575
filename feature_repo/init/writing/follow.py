"""An entry of the mapping whose path no longer is the one that init would write, because files came or went.

``events_1.csv`` becomes ``events_*.csv`` with the second file. By its path it would be a new entry beside the old one,
and where the user has edited that one, it stays, and the rows of the first file would count twice. So an entry that the
user has edited and a new one of the same table that share files are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Files = Callable[[str], frozenset[str]]  # path or pattern -> names of the files that it matches
Moves = dict[tuple[str, str], str]  # (table, path) -> another path


def moves(
    mine: Mapping[str, Any], base: Mapping[str, Any] | None, new: Mapping[str, Any], files: Files
) -> tuple[Moves, Moves]:
    """(the user's entries that take the wider path of the new ones, new entries that are within one of the user's)."""
    here, there = _paths(mine), _paths(new)
    untouched = [each for each in here if base is not None and _of(base, each) == _of(mine, each)]
    widened: Moves = {}
    within: Moves = {}
    for table, path in there:
        if (table, path) in here:
            continue
        shared = [old for of, old in here if of == table and files(old) & files(path)]
        shared = [old for old in shared if (table, old) not in (*there, *untouched)]
        if shared and files(path) <= frozenset().union(*map(files, shared)):
            within[table, path] = shared[0]
        elif len(shared) == 1:
            widened[table, shared[0]] = path
    return widened, within


def moved(section: Mapping[str, Any], by: Moves) -> dict[str, Any]:
    """The section with the other paths. Of several paths that become one, the entries of the first stay."""
    first: Moves = {}
    found = []
    for each in section.get("files") or ():
        table, path = str(each.get("table")), str(each.get("path"))
        to = by.get((table, path), path)
        if first.setdefault((table, to), path) == path:
            found.append({**each, "path": to})
    return {**section, "files": found}


def _of(section: Mapping[str, Any], at: tuple[str, str]) -> list[Any]:
    """The entries of a table and a path."""
    return [each for each in section.get("files") or () if (str(each.get("table")), str(each.get("path"))) == at]


def _paths(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((str(e.get("table")), str(e.get("path"))) for e in section.get("files") or ()))
