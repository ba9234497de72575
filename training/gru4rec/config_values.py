"""Conversion of a setting's value to the type of its key."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Literal, get_args, get_origin

import yaml

from training.gru4rec.errors import BadConfig


def convert(key: str, value: Any, kind: Any) -> Any:
    """``value`` as ``kind``, if the conversion loses nothing. Raises BadConfig."""
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise BadConfig(f"{key}: {value!r} is not one of {', '.join(map(str, get_args(kind)))}")
    if get_origin(kind) is tuple:
        entries = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else [value]
        return tuple(convert(key, _parsed(entry), get_args(kind)[0]) for entry in entries)
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError):
            value = float(value)  # YAML reads 1e-3 as a string
    if kind is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if type(value) is not kind:
        raise BadConfig(f"{key}: {value!r} is not {_name_of(kind)}")
    if kind is float and not math.isfinite(value):
        raise BadConfig(f"{key}: {value!r} is not a finite number")
    return value


def _parsed(entry: Any) -> Any:
    return yaml.safe_load(entry.strip()) if isinstance(entry, str) and entry.strip() else entry


def _name_of(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]
