"""What ``make`` hands on: real make and scripts, with stand-ins for python and dvc that note what they are asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.settings import PROJECT_ROOT

STAND_IN = f"""#!{sys.executable}
import json, os, sys
words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
said = {{name: value for name, value in os.environ.items() if name.startswith("RERANK_")}}
with open(os.environ["ASKED"], "a") as file:
    file.write(json.dumps([words, said]) + "\\n")
if words[-1] == "lock-file":
    print(os.environ["ASKED"] + ".lock")
failing = os.environ.get("FAILING")
sys.exit(2 if failing and failing in words else 0)
"""


@dataclass
class Project:
    folder: Path

    def make(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RERANK_", "MAKE"))}
        asked = self.folder / "asked"
        asked.unlink(missing_ok=True)
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env={**kept, "ASKED": str(asked), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self) -> list[tuple[list[str], dict[str, str]]]:
        """Each command with the settings in its environment."""
        return [tuple(json.loads(line)) for line in (self.folder / "asked").read_text().splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "a project"
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT_ROOT / name, folder)
    (folder / "infra").mkdir()
    for script in (PROJECT_ROOT / "infra").glob("*.sh"):
        shutil.copy(script, folder / "infra")
    for name in ("python", "dvc"):
        (binaries / name).write_text(STAND_IN)
        (binaries / name).chmod(0o755)
    (folder / ".venv" / "installed").write_text(f"{folder.resolve()}\n")
    return Project(folder)


def test_make_sets_nothing_that_the_user_did_not_say(project: Project) -> None:
    for verb in ("run", "pipeline", "serve", "recommend"):
        done = project.make(verb)
        assert done.returncode == 0, done.stderr
        assert project.asked()
        assert [settings for _, settings in project.asked() if settings] == [], verb


def test_what_the_environment_says_reaches_every_command(project: Project) -> None:
    said = {"RERANK_CLOCK": "wall", "RERANK_DATA_DIR": "/x y", "RERANK_DATASET": "foo"}
    for verb in ("run", "pipeline", "serve", "recommend"):
        assert project.make(verb, **said).returncode == 0
        assert {tuple(settings.items()) for _, settings in project.asked()} == {tuple(said.items())}, verb


def test_the_command_line_counts_more_than_the_environment(project: Project) -> None:
    assert (
        project.make("pipeline", "DATASET=shop", "RERANK_PORT=9", RERANK_DATASET="foo", RERANK_PORT="8").returncode == 0
    )
    for _, settings in project.asked():
        assert settings == {"RERANK_DATASET": "shop", "RERANK_PORT": "9"}


def test_a_variable_of_another_program_is_not_taken_for_the_data_set(project: Project) -> None:
    assert project.make("pipeline", DATASET="theirs", INPUT="theirs").returncode == 0
    assert not any(settings or "feature_repo.init" in words for words, settings in project.asked())


@pytest.mark.parametrize("path", ["/my shop", '/it\'s "mine"', "files/$HOME/$(x);&", "plain"])
@pytest.mark.parametrize("verb", ["run", "pipeline", "recommend"])
def test_the_files_are_looked_at_first_whatever_their_path(project: Project, verb: str, path: str) -> None:
    assert project.make(verb, "DATASET=my_shop", f"INPUT={path}").returncode == 0
    first, *others = project.asked()
    assert first[0] == ["python", "-m", "feature_repo.init", "my_shop", "--input", path]
    assert ["python", "-m", "infra.effective"] in [words for words, _ in others]
    assert {settings["RERANK_DATASET"] for _, settings in project.asked()} == {"my_shop"}


def test_nothing_runs_after_files_that_are_not_understood(project: Project) -> None:
    done = project.make("run", "DATASET=my_shop", "INPUT=files", FAILING="feature_repo.init")
    assert done.returncode == 2
    assert len(project.asked()) == 1


def test_files_without_a_name_for_the_data_set_are_refused(project: Project) -> None:
    done = project.make("run", "INPUT=files")
    assert done.returncode == 2
    assert "make run DATASET=my_shop INPUT=/path/to/files" in done.stderr
    assert not (project.folder / "asked").exists()


@pytest.mark.parametrize(
    ("verb", "first"), [("run", "lock-file"), ("serve", "lock-file"), ("pipeline", "infra.effective")]
)
def test_the_first_command_that_refuses_the_settings_is_the_last(project: Project, verb: str, first: str) -> None:
    done = project.make(verb, FAILING=first)
    assert done.returncode == 2
    assert [words[-1] for words, _ in project.asked()] == [first]


def test_dvc_runs_only_after_effective_yaml_was_written(project: Project) -> None:
    assert project.make("recommend").returncode == 0
    words = [words for words, _ in project.asked()]
    ran = [index for index, each in enumerate(words) if each[0] == "dvc"]
    assert words.index(["python", "-m", "infra.effective"]) < ran[0]
    assert [words[index][1:] for index in ran] == [
        ["repro", "validate_log"],
        ["repro"],
        ["repro", "training/recommend/dvc.yaml"],
    ]
