"""A scorer whose data set has no model of stage two: lists are scored, and the rest says what to do."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from serving.api.app import create_app
from tests.serving.world import NOW

COMMAND = "python -m training.stage_two"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/recommend/u", None),
        ("POST", "/recommend", {}),
        ("GET", "/similar/a", None),
        ("POST", "/explain", {"recommend": {}}),
    ],
)
def test_what_needs_the_model_is_refused_with_the_command_that_makes_it(client, method, path, body):
    answer = client.request(method, path, json=body)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert COMMAND in answer.json()["error"]["details"][0]["message"]


def test_it_scores_and_is_ready(client):
    assert client.post("/score", json={"items": [{"item_id": "a"}]}).status_code == 200
    assert client.get("/model").json()["recommend"] is None
    answer = client.get("/readyz")
    assert answer.status_code == 200
    (check,) = (each for each in answer.json()["checks"] if each["name"] == "recommend")
    assert not check["ok"]
    assert COMMAND in check["message"]


def test_it_is_not_ready_where_the_settings_need_the_model(settings):
    needing = settings.model_copy(update={"ready_needs": ("recommend",)})
    with TestClient(create_app(needing, FixedClock(NOW))) as client:
        assert client.get("/readyz").status_code == 503
