"""Generated requests, valid and not: no answer is a 500, and each is as documented.

Half come from schemathesis and the OpenAPI document, half are valid requests about known ids with
one thing or another broken. ``pytest tests/serving/test_fuzz.py --fuzz-examples 10000`` is the full run.
"""

import copy
import json
import random
import subprocess
import sys

import pytest

JUNK = (
    None,
    True,
    -1,
    0,
    1e400,
    "",
    "\x00",
    "é" * 300,
    "\ud800",
    [],
    {},
    [[]],
    {"item_id": "x"},
    10**400,
    float("nan"),
)
DOCUMENTED = {200, 400, 413, 422}


@pytest.fixture(scope="module")
def examples(request) -> int:
    return request.config.getoption("--fuzz-examples")


@pytest.fixture(scope="module")
def client(journey):
    with journey.scorer() as client:
        yield client


def test_every_answer_is_as_the_openapi_document_says(client, examples, tmp_path):
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{client.base_url}/openapi.json",
        "--max-examples", str(examples // 2), "--seed", "1", "--no-color", "--workers", "1",
        "--exclude-checks", "unsupported_method,positive_data_acceptance",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def paths(value, here=()):
    yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*here, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:3]):
            yield from paths(inner, (*here, i))


def broken(body: dict, rng: random.Random) -> object:
    """The body with up to two values replaced, removed, doubled or added."""
    body = copy.deepcopy(body)
    for _ in range(rng.randrange(3)):
        places = [place for place in paths(body) if place]
        if not places:
            return body
        *way, last = rng.choice(places)
        target = body
        for step in way:
            target = target[step]
        action = rng.randrange(4)
        if action == 0:
            target[last] = rng.choice(JUNK)
        elif action == 1:
            del target[last]
        elif action == 2 and isinstance(target, list):
            target.append(copy.deepcopy(target[last]))
        elif isinstance(target, dict):
            target[rng.choice(["x", "price", "item_id", "\u0000"])] = rng.choice(JUNK)
    return body


def test_requests_about_known_ids_with_something_broken_are_scored_or_refused(journey, client, examples):
    rng = random.Random(7)
    bodies = [journey.request_of(slate.head(20)) for slate in journey.last_slates(10)]
    names = [feature["name"] for feature in client.get("/model").json()["features"]]
    seen = set()
    for _ in range(examples // 2):
        body = rng.choice(bodies)
        for item in body["items"][:2]:
            item["features"] = {rng.choice(names): rng.choice([0.0, -1.5, 3e38, None])}
        raw = json.dumps(broken(body, rng))
        if rng.random() < 0.05:
            raw = raw[: rng.randrange(len(raw))]
        answer = client.post("/score", content=raw.encode(), headers={"content-type": "application/json"})
        seen.add(answer.status_code)
        assert answer.status_code in DOCUMENTED, raw[:2000]
        if answer.status_code == 200:
            sent = json.loads(raw)
            assert sorted(i["item_id"] for i in answer.json()["items"]) == sorted(i["item_id"] for i in sent["items"])
            assert not answer.json()["degraded"]
        else:
            assert answer.json()["error"]["message"]
    assert {200, 422} <= seen
