"""The files that init writes: params/NAME.yaml, params/NAME.dataset.json, and copies of what it wrote last.

The copies stand below the state folder. They tell a further run which lines are the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE
from feature_repo.datasets.errors import DatasetError
from infra.durable_file import write_durably
from infra.params import own_file
from infra.settings import Settings

SECTION = "log"


@dataclass(frozen=True)
class Written:
    """Paths of the files of one data set."""

    params: Path
    declaration: Path
    params_copy: Path
    declaration_copy: Path

    @classmethod
    def of(cls, name: str, settings: Settings) -> Written:
        params, copies = own_file(settings.params_file, name), settings.state_dir / "init"
        declaration = params.with_name(f"{name}.{DECLARATION_FILE}")
        return cls(params, declaration, copies / params.name, copies / declaration.name)

    def write(self, params: str, declaration: str, base: tuple[str, str]) -> bool:
        """``base``: what init itself would have written. Returns whether one of the two files changed."""
        changed = False
        for path, text in ((self.params, params), (self.declaration, declaration)):
            if text_at(path) != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_durably(path, text.encode())
                changed = True
        for path, text in zip((self.params_copy, self.declaration_copy), base, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, text.encode())
        return changed


def text_at(path: Path) -> str | None:
    """Raises DatasetError where it is there and cannot be read."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def section_in(text: str | None, where: Path) -> dict[str, Any] | None:
    """The section ``log`` as values; None where there is none. Raises DatasetError."""
    if text is None:
        return None
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DatasetError(f"{where} is not YAML: {' '.join(str(error).split())}") from error
    section = body.get(SECTION) if isinstance(body, Mapping) else None
    if section is not None and not isinstance(section, dict):
        raise DatasetError(f"{where}: log must hold names with values")
    if section is not None and not all(isinstance(each, dict) for each in section.get("files") or ()):
        raise DatasetError(
            f"{where}: each of log.files must hold names with values, such as {{table: events, path: a.csv}}"
        )
    return section
