"""The registry on a real SQLite database. The tests of this module share it, because its creation takes seconds."""

from __future__ import annotations

import shutil
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lightgbm
import numpy as np
import pytest

from infra.models.model_contract import ContractFeature, ModelContract
from infra.models.model_store import ARTIFACT_PATH, CONTRACT_FILE, BrokenModel, ModelStore, ModelStoreError, NoModel
from infra.models.ranker import BaselineRanker, LightGbmRanker, Ranker
from infra.models.trees.score_parity import TEST_ROWS_FILE, sample
from infra.settings import Settings
from tests.infra.small_models import ranker_of

NAMES = ("price", "orders_28d")
CONTRACT = ModelContract(
    project="shop",
    feature_service="ranker_v1",
    features=tuple(ContractFeature(name, "float32", "item_windows") for name in NAMES),
    views={"item_windows": "digest"},
    versions={"ages": 1},
    declaration={"name": "shop"},
)
BASELINE = BaselineRanker("popularity", (("orders_28d", 1),), NAMES)
MATRIX = np.array([[1.0, 5.0], [2.0, 9.0], [3.0, np.nan]], dtype=np.float32)


def settings_in(folder: Path, dataset: str) -> Settings:
    return Settings(_env_file=None, state_dir=folder, dataset=dataset, mlflow_tracking_uri=None)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def store(state: Path, request: pytest.FixtureRequest) -> ModelStore:
    """Each test has its own model name."""
    return ModelStore(settings_in(state, f"s{zlib.crc32(request.node.name.encode())}"))


def registered(store: ModelStore, ranker: Ranker = BASELINE, contract: ModelContract = CONTRACT) -> str:
    run = store.client.create_run(store.experiment_id())
    return store.register(run.info.run_id, ranker, contract, {"split": "2017"})


def artifacts(store: ModelStore) -> Path:
    champion = store.champion()
    assert champion is not None
    run = store.client.get_run(champion.run_id)
    return Path(unquote(urlsplit(run.info.artifact_uri).path)) / ARTIFACT_PATH


def test_a_promoted_baseline_is_loaded_as_it_was_registered(store: ModelStore) -> None:
    version = registered(store)
    store.promote(version)
    loaded = store.load()
    assert (loaded.name, loaded.version, loaded.kind) == (store.name, version, "baseline")
    assert loaded.contract == CONTRACT
    assert loaded.tags["split"] == "2017"
    assert loaded.tags["contract_hash"] == CONTRACT.contract_hash
    np.testing.assert_array_equal(loaded.ranker.score(MATRIX), BASELINE.score(MATRIX))


def test_a_lightgbm_model_scores_the_same_after_the_registry(store: ModelStore) -> None:
    data = np.random.default_rng(0).random((200, 2))
    booster = lightgbm.train(
        {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5},
        lightgbm.Dataset(data, label=data[:, 0]),
        num_boost_round=3,
    )
    ranker = LightGbmRanker(booster, NAMES)
    store.promote(registered(store, ranker))
    loaded = store.load()
    assert loaded.kind == "lightgbm"
    np.testing.assert_array_equal(loaded.ranker.score(MATRIX), ranker.score(MATRIX))


def test_a_model_without_the_vocabulary_of_its_contract_is_refused(store: ModelStore) -> None:
    brands = replace(
        CONTRACT, features=(CONTRACT.features[0], ContractFeature("orders_28d", "category", "item_windows"))
    )
    store.promote(registered(store, LightGbmRanker(ranker_of(features=2).booster, NAMES), brands))
    with pytest.raises(BrokenModel, match=r"the vocabulary is of \[\], the contract's categories are \['orders_28d'\]"):
        store.load()


def test_a_model_is_loaded_with_its_test_rows_which_are_no_pickle(store: ModelStore) -> None:
    ranker = ranker_of(features=2)
    ranker = LightGbmRanker(ranker.booster, NAMES)
    rows = sample(ranker, MATRIX[:, :2])
    run = store.client.create_run(store.experiment_id())
    store.promote(store.register(run.info.run_id, ranker, CONTRACT, {}, rows))
    found = store.load()
    assert found.rows is not None
    np.testing.assert_array_equal(found.rows.matrix, rows.matrix)
    np.testing.assert_array_equal(found.rows.scores, rows.scores)
    assert found.engine.name == "lightgbm"
    np.load(artifacts(store) / TEST_ROWS_FILE, allow_pickle=False)["matrix"]
    (artifacts(store) / TEST_ROWS_FILE).write_bytes(b"broken")
    assert store.load().rows is None


def test_a_baseline_has_no_test_rows(store: ModelStore) -> None:
    store.promote(registered(store))
    loaded = store.load()
    assert (loaded.rows, loaded.engine.name) == (None, "baseline")


def test_nothing_stored_is_a_pickle(store: ModelStore) -> None:
    store.promote(registered(store))
    for file in artifacts(store).iterdir():
        file.read_text(encoding="utf-8")
        assert file.suffix in {".json", ".txt"}


def test_local_artifacts_are_beside_the_database(store: ModelStore, state: Path) -> None:
    store.promote(registered(store))
    assert artifacts(store).is_relative_to(state / "mlflow" / "artifacts")


def test_the_experiment_is_created_once(store: ModelStore) -> None:
    assert store.experiment_id() == store.experiment_id()


def test_versions_count_up_and_the_champion_is_the_promoted_one(store: ModelStore) -> None:
    first, second = registered(store), registered(store)
    assert (first, second) == ("1", "2")
    store.promote(second)
    assert store.load().version == second
    store.promote(first)
    assert store.load().version == first


def test_with_nothing_registered_there_is_no_champion(store: ModelStore) -> None:
    assert store.champion() is None
    with pytest.raises(NoModel, match=r"python -m training\.train"):
        store.load()


def test_a_registered_model_that_was_not_promoted_is_no_champion(store: ModelStore) -> None:
    registered(store)
    assert store.champion() is None
    with pytest.raises(NoModel, match=store.name):
        store.load()


def test_data_sets_do_not_see_each_others_champion(store: ModelStore, state: Path) -> None:
    store.promote(registered(store))
    assert ModelStore(settings_in(state, "empty")).champion() is None


def test_missing_artifacts_are_a_broken_model(store: ModelStore) -> None:
    store.promote(registered(store))
    shutil.rmtree(artifacts(store))
    with pytest.raises(BrokenModel, match=f"{store.name} version 1"):
        store.load()


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json"])
def test_an_unreadable_contract_is_a_broken_model(store: ModelStore, text: str) -> None:
    store.promote(registered(store))
    (artifacts(store) / CONTRACT_FILE).write_text(text)
    with pytest.raises(BrokenModel):
        store.load()


def test_an_unreadable_ranker_is_a_broken_model(store: ModelStore) -> None:
    store.promote(registered(store))
    for file in artifacts(store).iterdir():
        if file.name != CONTRACT_FILE:
            file.write_text("broken")
    with pytest.raises(ModelStoreError):
        store.load()


def test_a_contract_with_other_features_than_the_ranker_is_a_broken_model(store: ModelStore) -> None:
    store.promote(registered(store, contract=replace(CONTRACT, features=CONTRACT.features[::-1])))
    with pytest.raises(BrokenModel, match="different features"):
        store.load()


# ---------------------------------------------------------------------------------------- further folders


def registered_with_codes(store: ModelStore, folder: Path) -> None:
    folder.mkdir()
    (folder / "codes.txt").write_text("a b")
    run = store.client.create_run(store.experiment_id())
    store.promote(store.register(run.info.run_id, BASELINE, CONTRACT, {}, folders={"sources": folder}))


def test_a_folder_that_is_registered_with_a_version_is_read_with_it(store: ModelStore, tmp_path: Path) -> None:
    registered_with_codes(store, tmp_path / "any name")
    model, codes = store.load_with(lambda folder: (folder / "sources" / "codes.txt").read_text().split())
    assert (model.contract, codes) == (CONTRACT, ["a", "b"])
    assert store.load() == model


def test_a_version_whose_folder_cannot_be_read_is_broken(store: ModelStore, tmp_path: Path) -> None:
    registered_with_codes(store, tmp_path / "sources")
    with pytest.raises(BrokenModel, match=r"version 1: .*other\.txt"):
        store.load_with(lambda folder: (folder / "other.txt").read_text())


def test_each_model_of_a_data_set_has_its_own_champion_and_command(state: Path) -> None:
    settings = settings_in(state, "two_models")
    registered(ModelStore(settings, settings.recommend_name))
    assert ModelStore(settings).champion() is None
    with pytest.raises(NoModel, match=r"no champion of recommend-two_models .*python -m training\.stage_two"):
        ModelStore(settings, settings.recommend_name).load()
