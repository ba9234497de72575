"""The API over a real store and a real champion."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from feature_repo.model_features import feature_matrix
from feature_repo.online.redis_format import decoding
from feature_repo.schema import DType
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.limits import MAX_BODY_BYTES, MAX_FLOAT32
from infra.models.model_store import ModelStore
from infra.redis_server import keys as redis_keys
from infra.redis_server.server import endpoint, start, stop
from serving.api.app import create_app
from serving.features.feast_reader import FeastReader
from serving.features.feature_client import FeatureClient
from serving.features.reading import Keys
from tests.serving import world
from tests.serving.world import DECLARATION, FEATURES, NOW, SENDABLE, VOCABULARY, us

STAGES = ("parse", "read", "derive", "score", "write")
BODY = {"user_id": "u", "session_id": "s", "context": {"store_id": "330"}, "items": [{"item_id": i} for i in "abcz"]}


def score(client, **changes):
    return client.post("/score", json={**BODY, **changes})


def scores(answer):
    return {item["item_id"]: item["score"] for item in answer.json()["items"]}


def test_scores_are_those_of_the_model_on_the_stored_features(client, settings):
    store = open_store(settings, offline=False)
    slate = FeastReader(store, DECLARATION).read(Keys("u", "s", ("a", "b", "c", "z"), us(NOW))).slate
    matrix = feature_matrix(replace(slate, context={"store_id": "330"}), DECLARATION, VOCABULARY)
    expected = ModelStore(settings).load().ranker.score(matrix)
    answer = score(client)
    assert scores(answer) == dict(zip("abcz", expected.tolist(), strict=True))
    assert len(set(expected.tolist())) > 1
    assert [item["item_id"] for item in answer.json()["items"]] == [
        "abcz"[i] for i in np.argsort(-expected, kind="stable")
    ]


def test_the_answer_has_every_documented_part(client):
    body = score(client).json()
    assert re.fullmatch(r"[0-9a-f]{32}", body.pop("request_id"))
    assert len(body.pop("items")) == 4
    assert body == {
        "scored_at": "2024-03-01T12:01:00.123464Z",
        "model": {"name": "ranker-complete_journey", "version": "1", "kind": "lightgbm"},
        "degraded": False,
        "missing": {"items": 1, "user": False, "session": False},
    }


def test_unknown_users_sessions_and_items_are_scored_and_counted(client):
    body = score(client, user_id="who", session_id="none", items=[{"item_id": "x"}, {"item_id": "y"}]).json()
    assert body["missing"] == {"items": 2, "user": True, "session": True}
    assert not body["degraded"]
    assert {item["item_id"] for item in body["items"]} == {"x", "y"}


def test_equal_candidates_come_in_the_callers_order(client):
    same = {"features": dict.fromkeys(SENDABLE, 0.5)}  # and none of them has a category
    body = score(client, items=[{"item_id": name, **same} for name in "zcx"]).json()
    assert [item["item_id"] for item in body["items"]] == ["z", "c", "x"]


def coded(values, **texts):
    """(f,) with the codes of categories."""
    values = values.copy()
    for name in VOCABULARY.texts:
        (values[FEATURES.index(name)],) = VOCABULARY.codes(name, [texts.get(name)])
    return values


def test_a_sent_feature_replaces_the_stored_value(client, settings):
    ranker = ModelStore(settings).load().ranker
    values = np.linspace(-20, 20, len(FEATURES)).astype(np.float32)
    values[[FEATURES.index(fact.name) for fact in DECLARATION.facts]] = 1  # a declared fact has a range
    sent = {name: float(value) for name, value in zip(FEATURES, values, strict=True) if name in SENDABLE}
    values = coded(values, category_id="fruit", context_store_id="330")
    answer = score(client, items=[{"item_id": "a", "features": sent}])
    assert scores(answer)["a"] == ranker.score(values[None, :])[0]


def test_a_sent_null_makes_a_stored_feature_unknown(client, settings):
    ranker = ModelStore(settings).load().ranker
    answer = score(client, items=[{"item_id": "a", "features": dict.fromkeys(SENDABLE)}])
    unknown = coded(np.full(len(FEATURES), np.nan, np.float32), category_id="fruit", context_store_id="330")
    assert scores(answer)["a"] == ranker.score(unknown[None, :])[0]


@pytest.mark.parametrize("value", [MAX_FLOAT32, -MAX_FLOAT32, 1e-45, 0, -0.0])
def test_the_largest_and_smallest_float32_are_scored(client, value):
    facts = {fact.name for fact in DECLARATION.facts}  # they have a range of their own
    items = [{"item_id": "a", "features": {name: value for name in SENDABLE if name not in facts}}]
    assert np.isfinite(scores(score(client, items=items))["a"])


@pytest.mark.parametrize("name", ["ü", "line\nbreak", "💚", "x" * 200, "a b", '"', "../..", "{}", "\x7f"])
def test_ids_of_any_text_are_returned_as_they_were_sent(client, name):
    answer = score(client, user_id=name, session_id=name, items=[{"item_id": name}])
    assert list(scores(answer)) == [name]


def post(client, content: bytes, content_type: str | None = "application/json"):
    return client.post(
        "/score", content=content, headers={} if content_type is None else {"content-type": content_type}
    )


def item(features: str) -> bytes:
    return b'{"items":[{"item_id":"a"},{"item_id":"b","features":{%s}}]}' % features.encode()


@pytest.mark.parametrize(
    ("content", "loc"),
    [
        (b'{"items":[]}', ["items"]),
        (b'{"items":[{"item_id":"a"},{"item_id":"a"}]}', ["items", 1, "item_id"]),
        (json.dumps({"items": [{"item_id": str(i)} for i in range(2001)]}).encode(), ["items"]),
        (item('"price":NaN'), ["items", 1, "features", "price"]),
        (item('"price":-Infinity'), ["items", 1, "features", "price"]),
        (item('"price":1e999'), ["items", 1, "features", "price"]),
        (item('"price":1e39'), ["items", 1, "features", "price"]),
        (item('"price":true'), ["items", 1, "features", "price"]),
        (item('"price":"2"'), ["items", 1, "features", "price"]),
        (item('"nmae":1'), ["items", 1, "features", "nmae"]),
        (item(f'"{"n" * 150}":1'), ["items", 1, "features", "n" * 100]),
        (b'{"items":[{"item_id":"a"}],"context":{"planet":"x"}}', ["context", "planet"]),
        (b'{"items":[{"item_id":"a"}],"user_id":1.5}', ["user_id"]),
        (b'{"items":[{"item_id":"a"}],"x":1}', ["x"]),
        (b'{"items":[{"item_id":"\\ud800"}]}', []),
        (b'{"items":[{"item_id":"\xff"}]}', []),
        (b"", []),
        (b"[" * 200_000, []),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_bad_request_is_refused_with_the_location_of_the_problem(client, content, loc):
    answer = post(client, content)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["type"] == "invalid_request"
    assert error["details"][0]["loc"] == loc


def test_a_request_that_is_wrong_everywhere_gets_a_short_answer(client):
    answer = post(client, json.dumps({"items": [{"x": 1}] * 2000}).encode())
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("4000 problems")
    assert len(answer.content) < 5_000


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
)
def test_another_content_type_is_refused(client, content_type):
    answer = post(client, json.dumps(BODY).encode(), content_type)
    assert (answer.status_code, answer.json()["error"]["type"]) == (415, "wrong_content_type")


def test_json_with_a_charset_is_accepted(client):
    assert post(client, json.dumps(BODY).encode(), "application/json; charset=utf-8").status_code == 200


def test_a_body_over_the_limit_is_refused_whether_its_length_is_announced_or_not(client):
    large = b" " * (MAX_BODY_BYTES + 1)
    assert post(client, large).status_code == 413
    chunks = (large[i : i + 100_000] for i in range(0, len(large), 100_000))
    answer = client.post("/score", content=chunks, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "body_too_large")


def test_the_largest_list_is_scored(client):
    answer = score(client, items=[{"item_id": f"i{i}"} for i in range(2000)])
    assert len(scores(answer)) == 2000
    assert answer.json()["missing"]["items"] == 2000


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/score", 405)])
def test_other_routes_and_methods_are_refused_in_the_same_form(client, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "http_error"


def test_healthz_answers(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_readyz_names_each_check(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert [(check["name"], check["ok"]) for check in answer.json()["checks"]] == [
        ("model", True),
        ("contract", True),
        ("redis", True),
        ("features", True),
        ("store", True),
        ("events", True),
        ("parity", True),
        ("recommend", False),  # it has no model, and none is needed
    ]


def test_a_difference_to_feast_is_shown_by_readyz_and_the_scorer_continues_to_serve(settings, monkeypatch):
    real = decoding.array

    def wrong(stored, dtype):
        return real(stored, dtype) + 1 if dtype is DType.FLOAT32 else real(stored, dtype)

    monkeypatch.setattr(decoding, "array", wrong)
    with TestClient(create_app(settings, FixedClock(NOW))) as client:
        answer = client.get("/readyz")
        (parity,) = (check for check in answer.json()["checks"] if check["name"] == "parity")
        assert (answer.status_code, parity["ok"]) == (200, False)
        assert "item_attributes:price of " in parity["message"]
        assert score(client).status_code == 200
        assert 'rerank_self_check_total{outcome="different"} 1.0' in client.get("/metrics").text


def test_the_model_endpoint_lists_the_models_inputs(client, settings):
    card = client.get("/model").json()
    loaded = ModelStore(settings).load()
    assert (card["name"], card["version"], card["kind"], card["baseline"]) == (loaded.name, "1", "lightgbm", False)
    assert [feature["name"] for feature in card["features"]] == list(FEATURES)
    assert card["features"][0] == {"name": "price", "dtype": "float32", "source": "item_attributes"}
    assert card["contract_hash"] == loaded.contract.contract_hash
    assert card["context"] == ["store_id"]
    assert card["tags"]["ndcg_at_10"] == "0.5"


def test_metrics_count_requests_stages_and_what_is_missing(client):
    score(client)
    client.post("/score", content=b"{", headers={"content-type": "application/json"})
    client.get("/somewhere")
    text = client.get("/metrics").text
    for line in (
        r'rerank_requests_total\{path="/score",status="200"\} [1-9]',
        r'rerank_requests_total\{path="/score",status="422"\} [1-9]',
        r'rerank_requests_total\{path="other",status="404"\} [1-9]',
        r'rerank_missing_total\{kind="item"\} [1-9]',
        r"rerank_candidates_count [1-9]",
        r"rerank_degraded_total 0\.0",
        r'rerank_model\{kind="lightgbm",name="ranker-complete_journey",version="1"\} 1\.0',
        *(
            rf'rerank_stage_seconds_count\{{stage="{stage}"\}} [1-9]'
            for stage in ("parse", "read", "derive", "score", "write")
        ),
    ):
        assert re.search(line, text), line


def test_two_apps_in_one_process_have_metrics_of_their_own(settings, client):
    score(client)
    with TestClient(create_app(settings, FixedClock(NOW))) as other:
        assert 'rerank_requests_total{path="/score"' not in other.get("/metrics").text


def test_the_openapi_document_names_the_models_features_and_the_context(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    features = schemas["Candidate"]["properties"]["features"]
    assert list(features["properties"]) == list(SENDABLE)
    assert features["additionalProperties"] is False
    assert list(schemas["ScoreRequest"]["properties"]["context"]["properties"]) == ["store_id"]
    sent = schemas["SentItem"]["properties"]
    assert list(sent) == [
        "item_id", "change_id", "category_id", "price", "old_price", "brand", "shop_id", "is_private_brand", "in_stock"
    ]  # fmt: skip
    assert "at least 0, at most 100000" in sent["price"]["description"]


def test_the_newest_score_reaches_redis_and_never_goes_back(settings):
    key = redis_keys.newest_score_us(settings.dataset)
    with endpoint(settings).client() as redis_client:
        redis_client.delete(key)
        for timestamp in (NOW, NOW.replace(year=2023)):
            with TestClient(create_app(settings, FixedClock(timestamp))) as client:
                score(client)
            assert int(redis_client.get(key)) == us(NOW)


def test_without_a_model_the_scorer_starts_and_its_error_names_the_command_to_run(tmp_path):
    settings = world.settings_in(tmp_path)
    start(settings)
    try:
        with TestClient(create_app(settings, FixedClock(NOW))) as client:
            ready = client.get("/readyz")
            assert ready.status_code == 503
            checks = {check["name"]: check for check in ready.json()["checks"]}
            assert "training.train" in checks["model"]["message"]
            assert checks["redis"]["ok"]
            for answer in (score(client), client.get("/model")):
                assert answer.status_code == 503
                assert "training.train" in answer.json()["error"]["details"][0]["message"]
            assert client.get("/healthz").status_code == 200
            assert client.get("/openapi.json").status_code == 200
    finally:
        stop(settings)


def test_a_model_that_is_registered_later_is_served_without_a_restart(tmp_path, monkeypatch):
    from serving.score import champion

    monkeypatch.setattr(champion, "RETRY_S", 0.1)
    settings = world.settings_in(tmp_path)
    with TestClient(create_app(settings, FixedClock(NOW))) as client:
        assert score(client).status_code == 503
        world.register(settings, world.constant_baseline())
        until = time.monotonic() + 20
        while score(client).status_code != 200 and time.monotonic() < until:
            time.sleep(0.1)
        body = score(client).json()
        assert body["model"]["kind"] == "baseline"
        assert body["degraded"]  # there is no Redis at all
        assert client.get("/model").json()["baseline"] is True


@pytest.mark.parametrize("sent", ["0", "-5", "1.5", "soon", "", "60001", "000001", "9" * 5000, "١٢"])
def test_a_deadline_that_is_not_a_number_of_milliseconds_is_refused_by_name(client, sent):
    answer = client.post("/score", json=BODY, headers={"X-Deadline-Ms": sent.encode()})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["loc"] == ["header", "x-deadline-ms"]


@pytest.mark.parametrize(("sent", "min_s", "max_s"), [(None, 0.5, 1.2), ("400", 0.05, 0.32), ("60000", 40, 48)])
def test_the_store_is_waited_for_within_the_requests_deadline(client, monkeypatch, sent, min_s, max_s):
    real, waited = FeatureClient.read, []

    async def noting(self, keys, timeout_s):
        waited.append(timeout_s)
        return await real(self, keys, timeout_s)

    monkeypatch.setattr(FeatureClient, "read", noting)
    answer = client.post("/score", json=BODY, headers={} if sent is None else {"X-Deadline-Ms": sent})
    assert answer.status_code == 200
    assert min_s < waited[0] <= max_s


@pytest.mark.parametrize("is_wanted", [True, False])
def test_requests_are_traced_when_opentelemetry_is_on(settings, monkeypatch, is_wanted):
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    app = create_app(settings.model_copy(update={"opentelemetry": is_wanted}), FixedClock(NOW))
    with TestClient(app) as client:
        assert score(client).status_code == 200
    whole = [span for span in exporter.get_finished_spans() if span.kind is trace.SpanKind.SERVER]
    assert [(span.name, span.attributes["http.response.status_code"]) for span in whole] == [
        ("POST /score", 200)
    ] * is_wanted
