"""``python -m infra.settings``: every setting with its value, where the value comes from, and its meaning.

Passwords in URLs are masked.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.command import command_settings
from infra.settings import Settings
from infra.settings_sources import DEFAULT, origins

MASK = "***"
_USER_INFO = re.compile(r"(://(?:[^/?#@:]*:)?)[^/?#]*@")  # up to the last @, in case the password has one
_QUERY = re.compile(r"((?:password|passwd|secret|token)=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """``value``: None where the setting is unset. ``source``: a name of :func:`infra.settings_sources.origins`."""

    name: str
    variable: str
    value: str | int | float | bool | None
    source: str
    meaning: str


def rows(settings: Settings) -> list[Row]:
    """Raises BadParams."""
    sources = origins(Settings)
    return [
        Row(name, f"RERANK_{name.upper()}", _shown(getattr(settings, name)), sources.get(name, DEFAULT), _meaning(name))
        for name in Settings.model_fields
    ]


def masked(text: str) -> str:
    """Without the passwords of the URLs in it; a name without a password may be a token."""
    return _QUERY.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1{MASK}@", text))


def _meaning(name: str) -> str:
    return Settings.model_fields[name].description or ""


def _shown(value: object) -> str | int | float | bool | None:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, str | Path):
        return masked(str(value))
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(f"no text is known for {value!r}")


def table(listed: Iterable[Row]) -> str:
    """Columns of equal width: variable, value, source, meaning."""
    cells = [("setting", "value", "from", "meaning")]
    cells += [(row.variable, _cell(row.value), row.source, row.meaning) for row in listed]
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    return "\n".join("  ".join((*map(str.ljust, line, widths), line[3])) for line in cells)


def _cell(value: str | int | float | bool | None) -> str:
    return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.settings", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="a JSON object, by the settings' names")
    as_json = parser.parse_args(argv).json
    listed = rows(command_settings())
    print(json.dumps({row.name: asdict(row) for row in listed}, indent=2) if as_json else table(listed))
    return 0
