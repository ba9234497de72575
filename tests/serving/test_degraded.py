"""Redis paused, killed and back: every request is answered."""

import os
import signal
import time

import pytest

from infra.redis_server import endpoint, start


@pytest.fixture(scope="module")
def client(journey):
    with journey.scorer(RERANK_DEADLINE_MS="1000") as client:
        yield client


@pytest.fixture
def body(journey):
    return journey.request_of(journey.last_slates(1)[0])


def redis_pid(journey) -> int:
    with endpoint(journey.settings).client() as client:
        return int(client.info("server")["process_id"])


def until_whole(client, body, seconds: float = 20) -> dict:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = client.post("/score", json=body).raise_for_status().json()
        if not answer["degraded"]:
            return answer
        time.sleep(0.1)
    raise AssertionError("still degraded")


def test_a_paused_redis_makes_a_degraded_answer_in_time_and_then_a_whole_one(journey, client, body):
    whole = until_whole(client, body)
    pid = redis_pid(journey)
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        answer = client.post("/score", json=body).raise_for_status().json()
        assert answer["degraded"]
        assert answer["missing"] == {"items": len(body["items"]), "user": True, "session": True}
        assert time.monotonic() - started < 10  # a hang would be the client's 30 s
        assert client.get("/readyz").status_code == 503
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [i["item_id"] for i in until_whole(client, body)["items"]] == [i["item_id"] for i in whole["items"]]


def test_a_killed_redis_is_survived_and_its_data_are_back(journey, client, body):
    until_whole(client, body)
    os.kill(redis_pid(journey), signal.SIGKILL)
    time.sleep(0.2)
    assert client.post("/score", json=body).raise_for_status().json()["degraded"]
    start(journey.settings)
    assert not until_whole(client, body)["missing"]["user"]
    assert client.get("/readyz").status_code == 200
