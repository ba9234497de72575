"""Which columns a table of the log needs and may have, and the entry of dataset.json that declares a further one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feature_repo.datasets.errors import BadSource
from feature_repo.schema import Table

GROUP_OF = {"items": "item_extras", "impressions": "facts (numbers) or context (strings)"}
_NUMBERS = ("FLOAT", "DOUBLE", "DECIMAL", "BOOLEAN")


def column_problems(path: Path, table: Table, found: Mapping[str, str], derivable: set[str]) -> list[BadSource]:
    """What is missing, except for ``derivable``, and what is not declared. ``found``: column -> DuckDB's type."""
    problems = [
        BadSource(path, f"the column is missing: {column.description}", column=column.name)
        for column in table.columns
        if column.name not in found and not column.nullable and column.name not in derivable
    ]
    undeclared = [name for name in found if name not in {column.name for column in table.columns}]
    if undeclared:
        problems.append(undeclared_columns(path, table, {name: found[name] for name in undeclared}))
    return problems


def undeclared_columns(path: Path, table: Table, found: Mapping[str, str]) -> BadSource:
    """All undeclared columns at once, with what to write into dataset.json."""
    names = ", ".join(found)
    if table.name not in GROUP_OF:
        known = ", ".join(column.name for column in table.columns)
        return BadSource(path, f"the column is not declared: drop it; {table.name} have {known}", column=names)
    return BadSource(
        path,
        f"the column is not declared: declare it in dataset.json under {GROUP_OF[table.name]}, or drop it. The entry:\n"
        f"{declaring_json(table, found)}",
        column=names,
    )


def declaring_json(table: Table, found: Mapping[str, str]) -> str:
    """The entries of dataset.json, one line for each column."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, source_type in found.items():
        numeric = source_type.startswith(_NUMBERS) or source_type.endswith("INT") or source_type == "INTEGER"
        group = "item_extras" if table.name == "items" else "facts" if numeric else "context"
        entry = {"name": _allowed(name), "dtype": "float32" if numeric else "string", "description": name}
        groups.setdefault(group, []).append({**entry, "nullable": True})
    lines = (f' "{group}": [{_listed(entries)}]' for group, entries in groups.items())
    return "{" + ",\n".join(lines).lstrip() + "}"


def _listed(entries: list[dict[str, Any]]) -> str:
    return ",\n  ".join(json.dumps(entry, ensure_ascii=False) for entry in entries)


def _allowed(name: str) -> str:
    """A name as declarations allow it."""
    return re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")) or "column"
