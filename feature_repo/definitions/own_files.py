"""``python -m feature_repo.definitions.own_files``: write down the content of a user's own tables, for dvc to watch.

The definitions alone name these tables, so dvc.yaml cannot. ``data/NAME/own_files.json`` has the SHA-256 of each file.
"""

from __future__ import annotations

import glob
import hashlib
import json
import sys
from pathlib import Path

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.repo_paths import REPO
from feature_repo.definitions.view import Origin
from feature_repo.definitions.views import views
from infra.command import command_settings
from infra.durable_file import write_durably
from infra.settings import Settings

PROJECT = REPO.parent
KINDS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".json")


def files_of(origin: Origin) -> list[Path]:
    """Those that can be read, sorted."""
    path = PROJECT / origin.path
    found = path.rglob("*") if path.is_dir() else map(Path, glob.glob(str(path), recursive=True))
    return sorted(file for file in found if file.is_file() and file.name.endswith(KINDS))


def digests(settings: Settings) -> dict[str, dict[str, str]]:
    """View -> file -> SHA-256. Raises DatasetError."""
    origins = {view.name: view.origin for view in views(declaration_of(settings)) if view.origin is not None}
    return {
        name: {str(_in_project(file)): _digest(file) for file in files_of(origin)} for name, origin in origins.items()
    }


def _in_project(file: Path) -> Path:
    return file.relative_to(PROJECT) if file.is_relative_to(PROJECT) else file


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def main() -> int:
    settings = command_settings()
    try:
        found = digests(settings)
    except DatasetError as error:
        print(f"feature_repo.definitions.own_files: {error}", file=sys.stderr)
        return 2
    path = settings.data_dir / settings.dataset / "own_files.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(found, indent=2) + "\n"
    if not path.exists() or path.read_text() != text:
        write_durably(path, text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
