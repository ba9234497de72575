"""When ``make`` makes the environment anew: its commands and the editable install name the folder that it is in."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.settings import PROJECT_ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "constraints.txt", "params.yaml", "Makefile"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    return tmp_path


def commands(project: Path) -> str:
    """What ``make`` would run."""
    command = ["make", "--dry-run", ".venv/installed"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout


def test_an_environment_of_this_folder_is_left_as_it_is(project: Path) -> None:
    (project / ".venv" / "installed").write_text(f"{project.resolve()}\n")
    assert "up to date" in commands(project)


def test_an_environment_that_was_made_in_another_folder_is_made_anew(project: Path) -> None:
    (project / ".venv" / "installed").write_text("/another/folder\n")
    assert "-m venv --clear .venv" in commands(project)
    assert "pip install" in commands(project)


def test_changed_requirements_are_installed_into_the_environment_as_it_is(project: Path) -> None:
    assert "-m venv  .venv" in commands(project)
    assert f'echo "{project.resolve()}" > .venv/installed' in commands(project)
