from dataclasses import replace

import pytest

from feature_repo.contract import current_contract
from infra.models.model_store import ModelStore
from infra.models.ranker import BaselineRanker
from infra.settings import Settings
from tests.infra.small_models import ranker_of
from tests.small_log import DECLARATION
from training.ranker.registration import current_champion, serves_already

CONTRACT = current_contract("tiny", DECLARATION)


@pytest.fixture
def store(tmp_path):
    return ModelStore(Settings(data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny"))


def promote(store: ModelStore, contract) -> None:
    run = store.client.create_run(store.experiment_id()).info.run_id
    ranker = BaselineRanker("input_order", (("input_position", -1),), contract.feature_names)
    store.promote(store.register(run, ranker, contract, {}))


def test_a_champion_with_the_current_contract_counts(store):
    assert current_champion(store, CONTRACT) is None
    promote(store, CONTRACT)
    assert current_champion(store, CONTRACT).kind == "baseline"


def test_a_champion_with_another_contract_counts_as_none(store, capsys):
    promote(store, replace(CONTRACT, versions={"ages": 0}))
    assert current_champion(store, CONTRACT) is None
    assert "ages features" in capsys.readouterr().err


def test_a_champion_whose_files_are_missing_counts_as_none(store, tmp_path, capsys):
    promote(store, CONTRACT)
    next((tmp_path / "var").rglob("baseline.json")).unlink()
    assert current_champion(store, CONTRACT) is None
    assert "cannot be loaded" in capsys.readouterr().err


def test_a_baseline_that_serves_is_replaced_by_another_fallback_and_a_trained_model_is_not(store):
    assert not serves_already(None, "input_order")
    promote(store, CONTRACT)
    champion = current_champion(store, CONTRACT)
    assert serves_already(champion, "input_order")
    assert not serves_already(champion, "recency")
    assert serves_already(replace(champion, ranker=ranker_of(rounds=1), kind="lightgbm"), "recency")
