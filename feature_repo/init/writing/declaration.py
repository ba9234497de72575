"""dataset.json: the columns that the data set adds, with their descriptions.

A file that the user has edited keeps its entries and values; what is new is added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.guess.decisions import Guess

GROUPS = ("item_extras", "facts", "context")


def declared(guess: Guess, name: str) -> dict[str, Any]:
    """The declaration of a guess."""
    body: dict[str, Any] = {"title": f"{name}, a log of the user's own", "timezone": "UTC"}
    for group in GROUPS:
        body[group] = [_column(each.column) for each in guess.extras if each.group == group]
    prices = any("price" in entry.columns for entry in guess.files)
    body["price_required"] = prices and all("price" in entry.columns for entry in guess.of("items"))
    return body | {key: setting.value for key, setting in guess.declared.items()}


def _column(column: Any) -> dict[str, Any]:
    found = {"name": column.name, "dtype": column.dtype.value, "description": column.description}
    found |= {"unit": column.unit} if column.unit else {}
    found["nullable"] = column.nullable
    bounds = {"minimum": column.minimum, "maximum": column.maximum}
    return found | {name: bound for name, bound in bounds.items() if bound is not None}


def merged(
    base: Mapping[str, Any] | None, mine: Mapping[str, Any], new: Mapping[str, Any], mapped: set[str]
) -> dict[str, Any]:
    """``mine`` with what ``new`` adds. ``mapped``: all columns of the mapping; others are declared in vain and go."""
    before = base if base is not None else {}
    found = {key: value for key, value in mine.items() if key not in GROUPS}
    for key, value in new.items():
        if key not in GROUPS and (key not in mine or (key in before and mine[key] == before[key])):
            found[key] = value
    for group in GROUPS:
        was = {each["name"]: each for each in before.get(group, ())}
        now = {each["name"]: each for each in new.get(group, ())}
        here = {each["name"]: each for each in mine.get(group, ())}
        kept = {n: now[n] if n in now and was.get(n) == each else each for n, each in here.items()}
        kept |= {n: each for n, each in now.items() if n not in kept}
        found[group] = [each for n, each in kept.items() if n in mapped]
    return found


def read(text: str, where: str) -> dict[str, Any]:
    """Raises DatasetError."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{where} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise DatasetError(f"{where} must be a JSON object")
    return body


def text_of(body: Mapping[str, Any]) -> str:
    """One line per column."""
    lines = []
    for key, value in body.items():
        if key in GROUPS and value:
            columns = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in value)
            lines.append(f"  {json.dumps(key)}: [\n{columns}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
