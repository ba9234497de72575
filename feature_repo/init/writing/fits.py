"""Whether a mapping still fits the files: every path matches one, and every column is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from feature_repo.init.guess.roles import View


def what_no_longer_fits(tree: Mapping[str, Any], views: Sequence[View]) -> list[str]:
    """One sentence per path without files and per column that is not there."""
    found: list[str] = []
    for entry in tree.get("files") or ():
        path = str(entry.get("path"))
        view = view_at(path, views)
        if view is None:
            found.append(f"log.files: no file matches {path}; there are {', '.join(each.pattern for each in views)}")
            continue
        there = set(view.columns)
        for join in entry.get("join") or ():
            other = view_at(str(join.get("path")), views)
            if other is None:
                found.append(f"log.files, {path}: no file matches the join {join.get('path')}")
            else:
                there |= set(other.columns)
        missing = [(name, column) for name, column in _columns(entry) if column not in there and column != "?"]
        found += [
            f"{entry.get('table')}.{name}: {path} has no column {column!r}; it has {', '.join(sorted(there)[:20])}"
            for name, column in missing
        ]
    return found


def names_at(path: str, views: Sequence[View]) -> frozenset[str]:
    """The files that a path or pattern matches."""
    return frozenset(
        name for view in views for name in view.table.names if path == view.pattern or fnmatchcase(name, path)
    )


def view_at(path: str, views: Sequence[View]) -> View | None:
    """The table whose files the path names."""
    for view in views:
        if view.pattern == path or any(fnmatchcase(name, path) for name in view.table.names):
            return view
    return None


def _columns(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(column of the log, column of the file) of all that an entry names."""
    found = [("where", str(name)) for name in entry.get("where") or ()]
    for name, values in (entry.get("columns") or {}).items():
        if not isinstance(values, Mapping):
            continue
        source = values.get("from") or ()
        listed = source if isinstance(source, list | tuple) else [source]
        listed = [*listed, *(values[key] for key in ("equals", "index_of") if values.get(key))]
        relative = values.get("relative") or {}
        listed = [*listed, *(relative[key] for key in ("per", "order", "days", "hour") if relative.get(key))]
        found += [(str(name), str(each)) for each in listed]
    return found
