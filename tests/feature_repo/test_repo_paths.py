"""What Feast stores of paths, so that a project can be moved and copied."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from feature_repo.definitions.repo_paths import REPO, path_for_registry
from infra.settings import PROJECT_ROOT

REGISTERED = """
from feature_repo.definitions.data_set import DataSet
from feature_repo.definitions.repo import load
from feature_repo.store import write_feature_store_yaml
from infra.settings import Settings

settings = Settings(_env_file=None, dataset="simulated")
for each in load(DataSet.of(settings)).objects:
    if hasattr(each, "batch_source"):
        print(each.batch_source.path)
print(write_feature_store_yaml(settings).read_text())
"""


def test_a_path_in_the_project_is_relative_to_the_repository() -> None:
    assert path_for_registry(PROJECT_ROOT / "data" / "shop" / "x.parquet") == "../data/shop/x.parquet"
    assert (REPO / "../data/shop/x.parquet").resolve() == PROJECT_ROOT / "data" / "shop" / "x.parquet"


def test_a_path_outside_the_project_is_absolute(tmp_path: Path) -> None:
    assert path_for_registry(tmp_path / "x.parquet") == str((tmp_path / "x.parquet").resolve())


def test_nothing_that_feast_stores_of_a_project_names_the_projects_folder(tmp_path: Path) -> None:
    for package in ("infra", "feature_repo"):
        shutil.copytree(PROJECT_ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", REGISTERED],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "RERANK_REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "../data/simulated/features/item_windows.parquet" in done.stdout
    assert "path: ../var/feast/simulated.db" in done.stdout
    assert str(tmp_path) not in done.stdout
