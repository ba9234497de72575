from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.models.model_contract import ContractFeature
from serving.api.app import create_app
from tests.serving import world

OTHERS = {
    "code": (lambda c: replace(c, versions={**c.versions, "history": 0}), "history features"),
    "a view": (lambda c: replace(c, views={**c.views, "user_windows": "0" * 16}), "'user_windows'"),
    "a data set": (lambda c: replace(c, project="other"), "project"),
    "a declaration": (lambda c: replace(c, declaration={**c.declaration, "timezone": "UTC"}), "declaration"),
}


@pytest.mark.parametrize(("change", "named"), OTHERS.values(), ids=OTHERS)
def test_a_model_of_another_contract_is_refused_and_the_difference_named(tmp_path, change, named):
    settings = world.settings_in(tmp_path, redis_url="redis://127.0.0.1:1/0")
    world.register(settings, world.constant_baseline(), change(world.contract()))
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        ready = client.get("/readyz")
        answer = client.post("/score", json={"items": [{"item_id": "a"}]})
    checks = {check["name"]: check for check in ready.json()["checks"]}
    assert ready.status_code == answer.status_code == 503
    assert checks["model"]["ok"]
    assert not checks["contract"]["ok"]
    assert named in checks["contract"]["message"]
    assert named in answer.json()["error"]["details"][0]["message"]


def test_a_model_with_an_unknown_feature_is_refused_and_the_feature_named(tmp_path):
    settings = world.settings_in(tmp_path, redis_url="redis://127.0.0.1:1/0")
    wider = world.contract()
    wider = replace(wider, features=(*wider.features, ContractFeature("mood", "float32", "derived")))
    world.register(settings, replace(world.constant_baseline(), feature_names=wider.feature_names), wider)
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
    assert "feature 'mood': unknown to the scorer" in checks["contract"]["message"]
