"""Generated requests for recommendations, valid and malformed: no 500, and every answer as documented."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest
import schemathesis
from hypothesis import given
from schemathesis.specs.openapi.checks import negative_data_rejection

from infra.clock import FixedClock
from serving.api.app import create_app
from tests.serving.api.test_fuzz import BROKEN, CHECKS, VALID, budget
from tests.serving.recommend.shelf import listed_kinds
from tests.serving.world import NOW

SHARES = [
    ("/recommend", "POST", VALID, 12),
    ("/recommend", "POST", BROKEN, 12),
    ("/recommend/{user_id}", "GET", VALID, 8),
    ("/similar/{item_id}", "GET", VALID, 8),
]


@pytest.fixture(scope="module")
def schema(settings):
    """Of an app that schemathesis itself starts and calls."""
    with warnings.catch_warnings(), listed_kinds():
        warnings.simplefilter("ignore")
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(settings, FixedClock(NOW)))


@pytest.mark.parametrize(("path", "method", "mode", "share"), SHARES)
@pytest.mark.filterwarnings("ignore")
def test_every_answer_has_the_form_that_the_openapi_document_describes(request, schema, path, method, mode, share):
    operation = schema[path][method]
    checks = [*CHECKS, negative_data_rejection] if mode is BROKEN else CHECKS
    statuses: Counter[int] = Counter()

    @budget(request, share)
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        answer = case.call()
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=checks)

    run()
    expected = {422} if mode is BROKEN else {404} if path.startswith("/similar") else {200}
    assert expected <= set(statuses), statuses


def test_the_document_names_the_context_of_the_data_set(client):
    operation = client.app.openapi()["paths"]["/recommend/{user_id}"]["get"]
    assert {each["name"]: each["in"] for each in operation["parameters"]} == {
        "user_id": "path",
        "k": "query",
        "session_id": "query",
        "store_id": "query",
        "x-deadline-ms": "header",
    }
    body = client.app.openapi()["components"]["schemas"]["RecommendRequest"]
    assert set(body["properties"]["context"]["properties"]) == {"store_id"}
