"""MLflow's app as it is served: answers, and errors that a caller can read."""

import json

import pytest

pytest.importorskip("torch")

from fastapi.testclient import TestClient

from tests.training.gru4rec import exported as small
from training.gru4rec.export.scoring_app import create_app


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return small.export(tmp_path_factory.mktemp("served") / "integers", small.INTEGER_IDS)


@pytest.fixture(scope="module")
def client(exported):
    return TestClient(create_app(str(exported.folder)))


def test_the_documented_request_is_answered_row_by_row(exported, client):
    body = {"dataframe_records": [{"session": [101, 2, 103]}, {"session": [10, 11]}], "params": {"k": 2}}
    answer = client.post("/invocations", json=body)
    assert answer.status_code == 200
    first, second = answer.json()["predictions"]
    assert first["recommendations"] == [100 + item for item, _ in exported.ranked(1, 3)[:2]]
    assert first["scores"] == pytest.approx([score for _, score in exported.ranked(1, 3)[:2]], abs=1e-6)
    assert second == {"recommendations": [111, 101], "scores": [10.0, 9.0]}


def test_the_split_form_of_a_request_gets_the_same_answer(client):
    split = {"dataframe_split": {"columns": ["session"], "data": [[[101, 102]], [[]]]}}
    records = {"dataframe_records": [{"session": [101, 102]}, {"session": []}]}
    assert client.post("/invocations", json=split).json() == client.post("/invocations", json=records).json()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("not json", "valid JSON"),
        ("", "valid JSON"),
        ("[1]", "must be a JSON dictionary"),
        ({"sessions": [[1]]}, "exactly one of the input fields"),
        ({"dataframe_records": "x"}, "must be a list of records"),
        ({"dataframe_records": []}, "missing inputs ['session']"),
        ({"dataframe_records": [{"items": [101]}]}, "missing inputs ['session']"),
        ({"dataframe_records": [{"session": None}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": 101}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": "101"}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": ["101"]}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": [101.5]}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": [[101]]}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": [101, None]}]}, "column session to type 'Array(long)'"),
        ({"dataframe_records": [{"session": [101]}], "params": {"k": "many"}}, "'k'"),
        ({"dataframe_records": [{"session": [101]}], "params": {"k": 11}}, "k must be from 1 to 10, not 11"),
    ],
)
def test_a_malformed_request_gets_a_400_with_the_reason_and_no_stack_trace(client, body, message):
    content = body if isinstance(body, str) else json.dumps(body)
    answer = client.post("/invocations", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_code", "message"}
    assert message in answer.json()["message"]
    assert "Traceback" not in answer.text


def test_a_request_without_a_content_type_gets_a_400(client):
    answer = client.post("/invocations", content=b"{}")
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 400
    assert "content-type is missing" in answer.json()["message"]


def test_a_form_is_refused_as_by_mlflow(client):
    answer = client.post("/invocations", data={"a": "b"})
    assert answer.status_code == 415
    assert "application/json" in answer.text


def test_ping_is_answered_with_200(client):
    assert client.get("/ping").status_code == 200
