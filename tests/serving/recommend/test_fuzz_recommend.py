"""Generated requests for recommendations, valid and malformed: no 500, and every answer as documented."""

from __future__ import annotations

import pytest

from tests.serving.api.test_fuzz import BROKEN, VALID, schema_of, statuses_of
from tests.serving.recommend.shelf import listed_kinds

SHARES = [
    ("/recommend", "POST", VALID, 12),
    ("/recommend", "POST", BROKEN, 12),
    ("/recommend/{user_id}", "GET", VALID, 8),
    ("/similar/{item_id}", "GET", VALID, 8),
]


@pytest.fixture(scope="module")
def schema(settings):
    with listed_kinds():
        yield schema_of(settings)


@pytest.mark.parametrize(("path", "method", "mode", "share"), SHARES)
@pytest.mark.filterwarnings("ignore")
def test_every_answer_has_the_form_that_the_openapi_document_describes(request, schema, path, method, mode, share):
    statuses = statuses_of(request, schema[path][method], mode, share)
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
