"""A copy of this Feast repository's definitions in which a test may write modules of a user's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from feast.repo_operations import get_repo_files

from feature_repo.definitions import own_files, repo
from feature_repo.definitions.repo_paths import REPO


def copied_repo(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """The definitions in ``folder/feature_repo``, as long as ``patch`` lasts; tables are looked for in ``folder``."""
    copied = folder / "feature_repo"
    copied.mkdir(parents=True)
    for file in [*get_repo_files(REPO), REPO / ".feastignore"]:
        shutil.copy(file, copied)
    patch.setattr(repo, "REPO", copied)
    patch.setattr(own_files, "PROJECT", folder)
    patch.setattr("feature_repo.__path__", [str(copied), str(REPO)])
    return copied


def add_view(copied: Path, name: str, text: str) -> None:
    """The module ``NAME_views.py`` with the view ``NAME``, put into the service."""
    (copied / f"{name}_views.py").write_text(text)
    service = (copied / "service.py").read_text()
    service = service.replace("        session_state,\n", f"        session_state,\n        {name},\n")
    (copied / "service.py").write_text(f"from feature_repo.{name}_views import {name}\n{service}")


def view_of(name: str, entity: str, **types: str) -> str:
    """The module of a view over the table ``NAME.csv``. ``types``: of its fields, by Feast's names."""
    fields = ", ".join(f'Field(name="{field}", dtype={dtype})' for field, dtype in types.items())
    return f"""
from feast import FeatureView, Field
from feast.types import {", ".join(sorted(set(types.values())))}
from feature_repo.definitions.data_set import data_set
from feature_repo.entities import {entity}

{name} = FeatureView(
    name="{name}",
    entities=[{entity}],
    source=data_set().own("{name}", "{name}.csv", timestamp_field="known_at"),
    schema=[{fields}],
)
"""
