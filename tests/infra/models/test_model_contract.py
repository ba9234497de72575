from dataclasses import replace

import pytest

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY, SIMULATED
from infra.models.model_contract import ContractFeature, ModelContract

CONTRACT = current_contract("shop", COMPLETE_JOURNEY)


def test_a_contract_survives_its_json():
    assert ModelContract.from_json(CONTRACT.to_json()) == CONTRACT
    assert ModelContract.from_json(CONTRACT.to_json()).contract_hash == CONTRACT.contract_hash


def test_equal_contracts_have_no_differences():
    assert CONTRACT.differences(current_contract("shop", COMPLETE_JOURNEY)) == []


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(CONTRACT, project="other"), "project"),
        (
            replace(CONTRACT, versions={**CONTRACT.versions, "ages": 2}),
            "ages features: the model has version 1, the scorer 2",
        ),
        (replace(CONTRACT, features=CONTRACT.features[:-1]), CONTRACT.features[-1].name),
        (replace(CONTRACT, features=(*CONTRACT.features, ContractFeature("new", "float32", "request"))), "'new'"),
        (replace(CONTRACT, features=CONTRACT.features[::-1]), "other order"),
        (
            replace(CONTRACT, features=(replace(CONTRACT.features[0], dtype="float64"), *CONTRACT.features[1:])),
            "float64",
        ),
        (current_contract("shop", SIMULATED), "declaration"),
    ],
)
def test_a_difference_is_named_and_changes_the_hash(other, named):
    assert any(named in sentence for sentence in CONTRACT.differences(other))
    assert other.contract_hash != CONTRACT.contract_hash
