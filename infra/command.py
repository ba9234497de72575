"""What the ``main`` of a command begins with. What is wrong is said in one sentence each, with exit status 2."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import ValidationError

from infra.params import BadParams, read_params
from infra.settings import Settings
from infra.settings_sources import DEFAULT, ENV_FILE, ENVIRONMENT, origins

BAD_SETTINGS = 2


def command_settings(command: str = "settings") -> Settings:
    """``command``: what the sentence begins with. Raises SystemExit where a setting is wrong."""
    try:
        return Settings()
    except BadParams as error:
        print(f"{command}: {error}", file=sys.stderr)
    except ValidationError as error:
        sources = origins(Settings)
        for each in error.errors():
            field = str(each["loc"][0]) if each["loc"] else ""
            place = f"{_place(field, sources.get(field, DEFAULT))}: " if field else ""
            print(f"{command}: {place}{each['msg'].removeprefix('Value error, ')}", file=sys.stderr)
    raise SystemExit(BAD_SETTINGS)


def command_params(settings: Settings, command: str = "settings") -> dict[str, Any]:
    """The parameters of the data set. ``command``: what the sentence begins with. Raises SystemExit."""
    try:
        return read_params(settings)
    except BadParams as error:
        print(f"{command}: {error}", file=sys.stderr)
    raise SystemExit(BAD_SETTINGS)


def _place(field: str, source: str) -> str:
    """Where to mend the setting."""
    if source in (ENVIRONMENT, DEFAULT):
        return f"RERANK_{field.upper()}"
    if source == ENV_FILE:
        return f"{ENV_FILE}, RERANK_{field.upper()}"
    return f"{source}, {'' if field == 'dataset' else 'settings.'}{field}"
