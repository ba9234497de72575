"""A declaration as JSON: in the file ``dataset.json`` beside the log, and inside a model's contract."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import Column, Declaration, DType

DECLARATION_FILE = "dataset.json"


def declaration_to_json(declaration: Declaration) -> str:
    def plain(value: Any) -> Any:
        return value.value if isinstance(value, DType) else value

    body = asdict(declaration, dict_factory=lambda pairs: {k: plain(v) for k, v in pairs})
    return json.dumps(body, indent=2)


def declaration_from_json(text: str) -> Declaration:
    """Raises KeyError, TypeError or ValueError if the text is not a declaration."""
    body = json.loads(text)
    for group in ("item_extras", "facts", "context"):
        body[group] = tuple(
            Column(**{**column, "dtype": DType(column["dtype"]), "allowed": _tuple(column.get("allowed"))})
            for column in body.get(group, ())
        )
    return Declaration(**body)


def _tuple(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def read_declaration(log_dir: Path) -> Declaration:
    """The declaration that the adapter wrote beside the tables. Raises DatasetError if there is none."""
    path = log_dir / DECLARATION_FILE
    try:
        return declaration_from_json(path.read_text())
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing: write the log first (python -m feature_repo.datasets)") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} is not a data set declaration: {error}") from error
