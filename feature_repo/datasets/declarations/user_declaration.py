"""Reads, completes and checks the ``dataset.json`` of a user's own log."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from feature_repo.datasets.declarations.built_in import BUILT_IN
from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE, declaration_from_json
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.definitions.views import views
from feature_repo.model_features import model_features
from feature_repo.schema import IN_STOCK, Column, Declaration, DType, item_changes_table, log_tables
from infra.limits import MAX_MONEY
from infra.settings import Settings

GROUPS = {
    "item_extras": (DType.FLOAT32, DType.STRING),
    "facts": (DType.FLOAT32,),
    "context": (DType.STRING,),
}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def user_declaration(folder: Path, settings: Settings, path: Path | None = None) -> Declaration:
    """The declaration in ``folder/dataset.json`` or in ``path``. Without that file: no additional columns, and UTC.

    The name is always ``settings.dataset``. Raises BadSource for a bad file, and DatasetError if ``settings.dataset``
    is the name of a built-in data set with another declaration.
    """
    path = path or folder / DECLARATION_FILE
    body = _body(path)
    try:
        filled = {"title": f"{settings.dataset}, a log of the user's own", **body, "name": settings.dataset}
        declaration = declaration_from_json(json.dumps(filled))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadSource(path, f"is not a data set declaration: {error}") from error
    _check(declaration, path)
    built_in = BUILT_IN.get(settings.dataset)
    if built_in is not None and declaration != built_in:
        raise DatasetError(
            f"RERANK_DATASET={settings.dataset} is the name of a built-in data set with other columns: "
            "set RERANK_DATASET to a name for your log"
        )
    return declaration


def _body(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadSource(path, f"is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadSource(path, "must be a JSON object")
    known = [field.name for field in fields(Declaration)]
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise BadSource(path, f"{unknown[0]!r} is not one of {', '.join(known)}")
    return body


def _check(declaration: Declaration, path: Path) -> None:
    try:
        ZoneInfo(declaration.timezone)
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise BadSource(path, f"timezone {declaration.timezone!r} is not known") from error
    for group, allowed in GROUPS.items():
        for column in getattr(declaration, group):
            if not isinstance(column.name, str) or not _NAME.fullmatch(column.name):
                raise BadSource(path, f"{group}: {column.name!r} must be lower-case letters, digits and underscores")
            if column.dtype not in allowed:
                names = " or ".join(dtype.value for dtype in allowed)
                raise BadSource(path, f"{group}: the dtype must be {names}, not {column.dtype.value}", column.name)
            if column.name == IN_STOCK.name and column.dtype is DType.STRING:
                raise BadSource(path, f"{group}: the dtype must be float32: 1 can be sold, 0 cannot", column.name)
            _check_values(column, group, path)
    _check_money(declaration, path)
    _refuse_taken_names(declaration, path)


def _check_money(declaration: Declaration, path: Path) -> None:
    bound = declaration.max_price
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 < bound <= MAX_MONEY:
        raise BadSource(path, f"max_price is a number up to {MAX_MONEY:,.2f}, not {bound!r}; larger units need fewer")
    if not isinstance(declaration.currency, str):
        raise BadSource(path, f'currency is a text, as in "IDR", not {declaration.currency!r}')


def _check_values(column: Column, group: str, path: Path) -> None:
    strings = all(isinstance(value, str) for value in column.allowed or ())
    if not strings or (column.allowed is not None and column.dtype is not DType.STRING):
        raise BadSource(path, f"{group}: allowed is a list of strings, for a string column only", column.name)
    for bound in (column.minimum, column.maximum):
        number = isinstance(bound, int | float) and not isinstance(bound, bool) and math.isfinite(bound)
        if bound is not None and (not number or column.dtype is DType.STRING):
            raise BadSource(path, f"{group}: minimum and maximum are numbers, for a float32 column only", column.name)


def _refuse_taken_names(declaration: Declaration, path: Path) -> None:
    """A name may occur only once among the columns of a table or view, and among the model's features."""
    known = (*log_tables(declaration), item_changes_table(declaration))
    tables: list[tuple[Column, ...]] = [table.columns for table in known]
    named = [[column.name for column in columns] for columns in (*tables, *(v.columns for v in views(declaration)))]
    for names in (*named, [feature.name for feature in model_features(declaration)]):
        repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if repeated is not None:
            raise BadSource(path, "the name is already in use: rename the column", column=repeated)
