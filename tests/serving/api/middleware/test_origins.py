"""Events from pages of other origins."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.settings import Settings
from serving.api.app import create_app
from tests.serving.world import NOW

SHOP, OTHER = "https://shop.example", "https://other.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def with_origins(settings, *origins):
    return TestClient(create_app(settings.model_copy(update={"events_origins": origins}), FixedClock(NOW)))


@pytest.fixture(scope="module")
def shop(settings):
    with with_origins(settings, SHOP) as client:
        yield client


def beacon(client, origin, path="/events", content_type="text/plain;charset=UTF-8"):
    """What ``navigator.sendBeacon(path, JSON.stringify(body))`` sends."""
    one = {"event_id": uuid4().hex, "user_id": "u", "session_id": "beacon", "action": "visit"}
    body = {"events": [one]} if path == "/events" else {"items": [{"item_id": "a"}]}
    headers = {"content-type": content_type} | ({} if origin is None else {"origin": origin})
    return client.post(path, content=json.dumps(body), headers=headers)


def test_without_the_setting_nothing_is_allowed(client):
    assert client.options("/events", headers={"origin": SHOP, **PREFLIGHT}).status_code == 405
    assert beacon(client, SHOP).status_code == 415
    assert "access-control-allow-origin" not in beacon(client, SHOP, content_type="application/json").headers


def test_an_allowed_page_may_ask_and_then_send(shop):
    asked = shop.options("/events", headers={"origin": SHOP, **PREFLIGHT})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert asked.headers["access-control-allow-credentials"] == "true"  # sendBeacon includes them
    sent = beacon(shop, SHOP, content_type="application/json")
    assert (sent.status_code, sent.headers["access-control-allow-origin"]) == (202, SHOP)


def test_an_allowed_page_may_send_a_beacon(shop):
    answer = beacon(shop, SHOP)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


def test_other_pages_and_programs_may_not(shop):
    assert shop.options("/events", headers={"origin": OTHER, **PREFLIGHT}).status_code == 400
    for origin in (OTHER, None, "null", SHOP + ".evil.example"):
        answer = beacon(shop, origin)
        assert (answer.status_code, answer.json()["error"]["type"]) == (415, "wrong_content_type")
        assert answer.headers.get("access-control-allow-origin") is None


def test_the_other_endpoints_stay_closed(shop):
    assert shop.options("/score", headers={"origin": SHOP, **PREFLIGHT}).status_code == 405
    assert beacon(shop, SHOP, "/score").status_code == 415
    assert "access-control-allow-origin" not in beacon(shop, SHOP, "/score", "application/json").headers


def test_a_refusal_can_be_read_by_the_page(shop):
    answer = shop.post("/events", content=b"{}", headers={"origin": SHOP, "x-deadline-ms": "soon"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (422, SHOP)


def test_a_star_allows_every_page(settings):
    with with_origins(settings, "*") as client:
        assert client.options("/events", headers={"origin": OTHER, **PREFLIGHT}).status_code == 200
        assert beacon(client, OTHER).status_code == 202


def test_origins_are_read_from_a_list_with_commas():
    made = Settings(_env_file=None, events_origins="https://shop.example, http://localhost:3000")
    assert made.events_origins == (SHOP, "http://localhost:3000")


@pytest.mark.parametrize("wrong", ["shop.example", "https://shop.example/", "https://*.example", "ftp://shop.example"])
def test_what_is_no_origin_is_refused_by_its_name(wrong):
    with pytest.raises(ValueError, match="must be like https://"):
        Settings(_env_file=None, events_origins=wrong)
