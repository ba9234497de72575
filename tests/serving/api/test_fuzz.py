"""Generated requests, valid and malformed: no 500, and every answer as documented.

``--fuzz-examples N`` in all: half by schemathesis from the OpenAPI document, half valid requests about known
ids with something broken in them, whose answer an oracle of our own foretells.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections import Counter
from typing import Any

import hypothesis
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from feature_repo.schema import Column
from infra.clock import FixedClock
from infra.limits import MAX_FLOAT32, MAX_ITEMS
from serving.api.app import create_app
from tests.serving.world import DECLARATION, NOW, SENDABLE

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
VALID, BROKEN = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
STATE = ("/healthz", "/readyz", "/model", "/metrics")
SHARES = [("/score", "POST", VALID, 23), ("/score", "POST", BROKEN, 23), *((path, "GET", VALID, 1) for path in STATE)]


def budget(request: pytest.FixtureRequest, share: int) -> hypothesis.settings:
    """``share`` hundredths of the examples of the option."""
    return hypothesis.settings(
        max_examples=max(1, request.config.getoption("--fuzz-examples") * share // 100),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def schema_of(settings):
    """Of an app that schemathesis itself starts and calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return schemathesis.openapi.from_asgi("/openapi.json", create_app(settings, FixedClock(NOW)))


def statuses_of(request, operation, mode, share) -> Counter[int]:
    """How often each status was answered; every answer has been checked against the document."""
    checks = [*CHECKS, negative_data_rejection] if mode is BROKEN else CHECKS
    statuses: Counter[int] = Counter()

    @budget(request, share)
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        answer = case.call()
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=checks)

    run()
    return statuses


@pytest.fixture(scope="module")
def schema(settings):
    return schema_of(settings)


@pytest.mark.parametrize(("path", "method", "mode", "share"), SHARES)
@pytest.mark.filterwarnings("ignore")
def test_every_answer_has_the_form_that_the_openapi_document_describes(request, schema, path, method, mode, share):
    statuses = statuses_of(request, schema[path][method], mode, share)
    assert (422 if mode is BROKEN else 200) in statuses, statuses


# ------------------------------------------------------------------------ valid requests, broken

IDS = st.sampled_from(["a", "b", "c", "z", "u", "s", "fresh", "ü", "x" * 200])
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, 1e39, -0.0, "", "\0", "x" * 201, "\ud800", [], {}, [[]], {"item_id": "a"}]),
    st.text(max_size=5),
    st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=2), max_leaves=5),
)
NAMES = st.sampled_from([*SENDABLE[:8], "is_recommended", "input_position"])
NUMBERS = st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
CANDIDATES = st.fixed_dictionaries({"item_id": IDS}, optional={"features": st.dictionaries(NAMES, NUMBERS, max_size=4)})
BODIES = st.fixed_dictionaries(
    {"items": st.lists(CANDIDATES, min_size=1, max_size=6, unique_by=lambda each: each["item_id"])},
    optional={
        "user_id": st.none() | IDS,
        "session_id": st.none() | IDS,
        "context": st.fixed_dictionaries({}, optional={"store_id": st.none() | IDS}),
    },
)


def positions(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(position for key, each in inner for position in positions(each, (*here, key)))]


@st.composite
def broken(draw: Any) -> Any:
    """A valid body in which up to two values are replaced, removed, doubled, or joined by another."""
    root = {"body": draw(BODIES)}
    for _ in range(draw(st.integers(0, 2))):
        *way, last = draw(st.sampled_from([position for position in positions(root) if position]))
        target: Any = root
        for step in way:
            target = target[step]
        action = draw(st.sampled_from(["replace", "remove", "double", "add"]))
        if action == "remove" and way:
            del target[last]
        elif action == "double" and isinstance(target, list):
            target.append(copy.deepcopy(target[last]))
        elif action == "add" and way and isinstance(target, dict):
            name = draw(st.sampled_from(["x", "price", "item_id", "user_id", "store_id", "\0"]))
            target[name] = copy.deepcopy(draw(JUNK))
        else:
            target[last] = copy.deepcopy(draw(JUNK))
    return root["body"]


def is_valid(body: Any) -> bool:
    """The documented form, written a second time."""
    return (
        isinstance(body, dict)
        and body.keys() <= {"user_id", "session_id", "context", "items"}
        and all(body.get(name) is None or is_id(body[name]) for name in ("user_id", "session_id"))
        and is_mapping(body.get("context", {}), {"store_id"}, is_id)
        and isinstance(body.get("items"), list)
        and 1 <= len(body["items"]) <= MAX_ITEMS
        and all(is_candidate(each) for each in body["items"])
        and len({str(each["item_id"]) for each in body["items"]}) == len(body["items"])
    )


def is_candidate(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"item_id", "features"}
        and is_id(value.get("item_id"))
        and is_mapping(value.get("features", {}), set(SENDABLE), is_number)
        and all(is_in_range(value.get("features", {}).get(fact.name), fact) for fact in DECLARATION.facts)
    )


def is_in_range(value: float | None, fact: Column) -> bool:
    assert fact.minimum is not None
    assert fact.maximum is not None
    return value is None or fact.minimum <= value <= fact.maximum


def is_mapping(value: Any, names: set[str], is_value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= names
        and all(each is None or is_value(each) for each in value.values())
    )


def is_text(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value) <= 200
        and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    )


def is_id(value: Any) -> bool:
    return is_text(value) or type(value) is int


def is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -MAX_FLOAT32 <= value <= MAX_FLOAT32  # NaN is neither


def documented(client, status: int) -> jsonschema.Draft202012Validator:
    document = client.app.openapi()
    answer = document["paths"]["/score"]["post"]["responses"][str(status)]["content"]["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**answer, "components": document["components"]})


def test_a_broken_request_is_scored_exactly_when_it_is_still_valid(request, client):
    validators = {status: documented(client, status) for status in (200, 422)}
    statuses: Counter[int] = Counter()

    @budget(request, 40)
    @given(body=broken())
    def run(body):
        answer = client.post("/score", content=json.dumps(body), headers={"content-type": "application/json"})
        statuses[answer.status_code] += 1
        assert answer.status_code == (200 if is_valid(body) else 422), answer.text
        validators[answer.status_code].validate(answer.json())
        if answer.status_code == 200:
            assert {each["item_id"] for each in answer.json()["items"]} == {
                str(each["item_id"]) for each in body["items"]
            }
            assert not answer.json()["degraded"]

    run()
    assert min(statuses[200], statuses[422]) > sum(statuses.values()) // 10, statuses


def test_a_body_with_damaged_bytes_is_scored_or_refused(request, client):
    validators = {status: documented(client, status) for status in (200, 422)}

    @budget(request, 10)
    @given(body=BODIES, data=st.data())
    def run(body, data):
        raw = bytearray(json.dumps(body).encode())
        position = data.draw(st.integers(0, len(raw) - 1))
        if data.draw(st.booleans()):
            raw[position] = data.draw(st.integers(0, 255))
        else:
            del raw[position:]
        answer = client.post("/score", content=bytes(raw), headers={"content-type": "application/json"})
        assert answer.status_code in validators, answer.text
        validators[answer.status_code].validate(answer.json())

    run()
