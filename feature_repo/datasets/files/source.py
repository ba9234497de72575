"""Where a user's own files are: the mapping of the data set, its folder and its dataset.json.

The mapping is the section ``log`` of params/NAME.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import SourceMapping, mapping_from
from infra.params import BadParams, own_file, read_params
from infra.settings import Settings


@dataclass(frozen=True)
class FilesSource:
    """``folder``: what the mapping's paths are relative to. ``declaration``: the path of dataset.json, if it exists."""

    mapping: SourceMapping
    folder: Path
    declaration: Path


def files_source(settings: Settings, source: Path | None) -> FilesSource:
    """``source``: replaces the mapping's input; a folder, or the only file. Raises DatasetError."""
    path = own_file(settings.params_file, settings.dataset)
    section = _section(settings, path)
    named = source or section.get("input")
    if not named:
        raise DatasetError(f"{path}: log.input is missing: the folder with the files; or give --input FOLDER")
    folder = settings.params_file.parent / Path(named).expanduser() if source is None else source
    if not folder.exists():
        raise DatasetError(f"{folder}: there is no such folder (log.input of {path}, or --input)")
    folder = folder.parent if folder.is_file() else folder
    beside = path.with_name(f"{settings.dataset}.{DECLARATION_FILE}")
    try:
        mapping = mapping_from(section)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error
    return FilesSource(mapping, folder, beside if beside.exists() else folder / DECLARATION_FILE)


def _section(settings: Settings, path: Path) -> dict[str, Any]:
    try:
        section: dict[str, Any] = read_params(settings).get("log", {})
    except BadParams as error:
        raise DatasetError(str(error)) from error
    if "files" not in section:
        why = "holds no log.files" if path.exists() else "is missing"
        raise DatasetError(
            f"{path} {why}: it says what the files hold; python -m feature_repo.init NAME --input FOLDER writes it"
        )
    return section
