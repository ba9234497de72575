"""effective.yaml: what dvc is told of settings and parameters."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import effective as module
from infra.effective import NO_SOURCE, REPO, definitions, effective, main
from infra.params import BadParams, read_params
from infra.settings import PROJECT_ROOT, Settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters, which the command takes for the project's root."""
    (tmp_path / "params.yaml").write_text("dataset: shop\ntrain: {seed: 7, rounds: 9}\n")
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "shop.yaml").write_text("log: {adapter: simulated}\ntrain: {rounds: 5}\n")
    monkeypatch.setattr(module, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(module, "FILE", tmp_path / "effective.yaml")
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(tmp_path / "params.yaml"))
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("RERANK_DATASET", raising=False)
    return tmp_path


def written(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((project / "effective.yaml").read_text())
    return found


def test_it_holds_every_section_as_merged_and_paths_relative_to_the_project(project: Path) -> None:
    assert main([]) == 0
    assert written(project) == {
        "folder": "data/shop",
        "adapter": "simulated",
        "source": NO_SOURCE,
        "log": {"adapter": "simulated"},
        "split": {},  # dvc misses a section that is not there
        "train": {"seed": 7, "rounds": 5},
        "gru4rec": {},
        "recommend": {},
        "definitions": definitions(REPO),
    }
    assert (PROJECT_ROOT / NO_SOURCE).is_file()


def test_the_folder_follows_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RERANK_DATASET", "other")
    monkeypatch.setenv("RERANK_DATA_DIR", "/x y/z")
    (project / "params" / "other.yaml").write_text("log: {adapter: simulated}")
    assert main([]) == 0
    assert written(project)["folder"] == "/x y/z/other"
    monkeypatch.chdir(project)
    monkeypatch.setenv("RERANK_DATA_DIR", "elsewhere")
    assert main([]) == 0
    assert written(project)["folder"] == "elsewhere/other"


@pytest.mark.parametrize("name", ["my shop", "it's; rm -rf $HOME", 'a "b"', "plain"])
def test_a_source_is_watched_and_reaches_the_adapter_as_one_word(project: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sources" / name
    folder.mkdir(parents=True)
    log = {"adapter": "parquet", "input": str(folder), "arguments": "--size 3"}
    found = effective(Settings(), {"log": log})
    assert shlex.split(found["adapter"]) == ["parquet", "--input", f"sources/{name}", "--size", "3"]
    assert found["source"] == f"sources/{name}"  # relative, because it is inside the project
    outside = effective(Settings(), {"log": {**log, "input": "/tmp"}})
    assert (outside["source"], shlex.split(outside["adapter"])[2]) == ("/tmp", "/tmp")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("log: {adapter: parquet, input: nowhere}", "params/shop.yaml, log.input: .*/nowhere does not exist"),
        (
            "train: {}",
            "params/shop.yaml, log.adapter: nothing says how the log of shop is made. `make run DATASET=shop",
        ),
        ("log:", "log.adapter: nothing says"),
    ],
)
def test_a_log_that_cannot_be_made_is_refused(
    project: Path, own: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params" / "shop.yaml").write_text(own)
    settings = Settings()
    with pytest.raises(BadParams, match=message):
        effective(settings, read_params(settings))
    assert main([]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (project / "effective.yaml").exists()


def test_a_changed_declaration_beside_the_parameters_makes_the_log_anew(project: Path) -> None:
    file = project / "params" / "shop.dataset.json"
    found = []
    for text in (None, "{}", '{"title": "Shop"}'):
        if text is not None:
            file.write_text(text)
        assert main([]) == 0
        found.append(written(project)["log"])
    assert found[0] == {"adapter": "simulated"}
    assert found[1].keys() == found[2].keys() == {"adapter", "declaration"}
    assert found[1] != found[2]


def test_nothing_is_written_where_nothing_changed(project: Path) -> None:
    assert main([]) == 0
    before = (project / "effective.yaml").stat().st_mtime_ns
    assert main([]) == 0
    assert main(["--loaded"]) == 0
    assert (project / "effective.yaml").stat().st_mtime_ns == before


def test_dvc_goes_on_with_new_parameters_and_is_told_to_begin_again_with_new_paths(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([]) == 0
    (project / "params" / "shop.yaml").write_text("log: {adapter: simulated}\ntrain: {rounds: 6}\n")
    assert main(["--loaded"]) == 0  # dvc reads parameters when it comes to their stage
    assert written(project)["train"]["rounds"] == 6
    monkeypatch.setenv("RERANK_DATA_DIR", str(project / "elsewhere"))
    assert main(["--loaded"]) == 2
    assert "run the same command again" in capsys.readouterr().err
    assert written(project)["folder"] == "elsewhere/shop"
    assert main(["--loaded"]) == 0


def test_the_definitions_of_the_features_are_watched_and_those_of_the_user_too(tmp_path: Path) -> None:
    (tmp_path / ".feastignore").write_text("# what Feast leaves out\nschema.py\n")
    for name in ("item_views.py", "schema.py"):
        (tmp_path / name).write_text("one")
    before = definitions(tmp_path)
    assert list(before) == ["item_views.py"]
    (tmp_path / "restaurant_views.py").write_text("two")
    assert definitions(tmp_path).items() > before.items()
