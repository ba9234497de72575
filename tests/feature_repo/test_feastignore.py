"""Feast imports every module it finds: the definitions, and what a user adds to them."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml
from feast.repo_operations import get_repo_files

REPO = Path(__file__).resolve().parents[2] / "feature_repo"


DEFINITIONS = ["entities.py", "item_views.py", "service.py", "session_views.py", "user_views.py"]


def test_feast_imports_definitions_only() -> None:
    assert sorted(get_repo_files(REPO)) == [REPO / name for name in DEFINITIONS]


def test_feast_imports_a_module_that_is_not_listed(tmp_path: Path) -> None:
    shutil.copy(REPO / ".feastignore", tmp_path)
    for name in ("service.py", "restaurant_views.py", "schema.py"):
        (tmp_path / name).touch()
    assert [path.name for path in get_repo_files(tmp_path)] == ["restaurant_views.py", "service.py"]


def test_feature_store_yaml_holds_no_variable() -> None:
    text = (REPO / "feature_store.yaml").read_text()
    assert "${" not in text
    assert yaml.safe_load(text)["offline_store"] == {"type": "feature_repo.offline.store.AsofOfflineStore"}
