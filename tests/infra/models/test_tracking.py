"""Runs and their artifacts when the state folder was moved or copied. MLflow stores absolute URIs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infra.models.model_store import ModelStore
from infra.models.ranker import BaselineRanker
from infra.models.tracking import artifact_location, open_client
from infra.settings import Settings
from tests.infra.models.test_model_store import BASELINE, CONTRACT, NAMES, registered, settings_in

OTHER = BaselineRanker("recency", (("price", 1),), NAMES)


@pytest.fixture
def original(tmp_path: Path) -> Settings:
    """With a champion. The folder's name must be escaped in a URI."""
    settings = settings_in(tmp_path / "my shop", "shop")
    store = ModelStore(settings)
    store.promote(registered(store))
    return settings


def files_of(settings: Settings) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in settings.state_dir.rglob("*") if path.is_file()}


def put_elsewhere(settings: Settings, folder: Path, put) -> Settings:
    put(settings.state_dir, folder)
    return settings.model_copy(update={"state_dir": folder})


def test_a_moved_champion_is_loaded(original: Settings, tmp_path: Path) -> None:
    moved = put_elsewhere(original, tmp_path / "elsewhere" / "shop two", shutil.move)
    loaded = ModelStore(moved).load()
    assert (loaded.version, loaded.contract) == ("1", CONTRACT)
    assert not original.state_dir.exists()


def test_a_copy_reads_and_writes_its_own_files_and_leaves_the_originals(original: Settings, tmp_path: Path) -> None:
    copied = put_elsewhere(original, tmp_path / "copy", shutil.copytree)
    shutil.rmtree(original.state_dir / "mlflow" / "artifacts")
    before = files_of(original)
    store = ModelStore(copied)
    assert store.load().ranker.feature_names == BASELINE.feature_names
    store.promote(registered(store, OTHER))
    assert (store.load().version, store.load().ranker) == ("2", OTHER)
    assert files_of(original) == before


def test_new_and_former_runs_of_a_moved_experiment_are_in_its_new_folder(original: Settings, tmp_path: Path) -> None:
    moved = put_elsewhere(original, tmp_path / "moved", shutil.move)
    registered(ModelStore(moved))
    client = open_client(moved)
    wanted = artifact_location(moved, original.model_name)
    [experiment] = client.search_experiments(filter_string=f"name = '{original.model_name}'")
    runs = client.search_runs([experiment.experiment_id])
    versions = client.search_model_versions(f"name = '{original.model_name}'")
    uris = [experiment.artifact_location, *(run.info.artifact_uri for run in runs), *(each.source for each in versions)]
    assert len(uris) == 5
    assert [uri for uri in uris if not str(uri).startswith(str(wanted))] == []


def test_an_experiment_that_the_user_placed_elsewhere_stays_there(original: Settings, tmp_path: Path) -> None:
    elsewhere = (tmp_path / "bucket").as_uri()
    open_client(original).create_experiment("own", artifact_location=elsewhere)
    moved = put_elsewhere(original, tmp_path / "moved", shutil.move)
    own = open_client(moved).get_experiment_by_name("own")
    assert own is not None
    assert own.artifact_location == elsewhere


def test_a_folder_under_a_second_name_changes_nothing(original: Settings, tmp_path: Path) -> None:
    before = ModelStore(original).champion()
    linked = put_elsewhere(original, tmp_path / "linked", os.symlink)
    found = ModelStore(linked).champion()
    assert before is not None
    assert found is not None
    assert found.source == before.source
    assert ModelStore(linked).load().version == "1"
