"""The scorer with the shop off, with its extra missing, and on a host where it would be open to others."""

from __future__ import annotations

import sys

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.settings import Settings
from serving.__main__ import main
from serving.api.app import create_app
from tests.serving import world


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argon2", "itsdangerous"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [each for each in sys.modules if each.startswith("serving.web")]:
        monkeypatch.delitem(sys.modules, name)


def test_the_scorer_without_the_extra_serves_its_api_and_no_shop(settings: Settings, without_extra: None) -> None:
    off = settings.model_copy(update={"shop": False})
    with TestClient(create_app(off, FixedClock(world.NOW)), base_url="http://localhost") as client:
        assert client.get("/").status_code == 404
        assert client.get("/welcome").status_code == 404
        assert client.post("/score", json={"items": [{"item_id": "a"}]}).status_code == 200


def test_the_shop_without_the_extra_says_what_is_missing(settings: Settings, without_extra: None) -> None:
    with pytest.raises(RuntimeError, match="needs the extra browser"):
        create_app(settings, FixedClock(world.NOW))


def test_the_api_is_the_same_beside_the_shop(client: TestClient) -> None:
    assert client.post("/score", json={"items": [{"item_id": "a"}]}).status_code == 200
    assert "/welcome" not in client.get("/openapi.json").json()["paths"]


def test_scripts_and_styles_are_served_and_kept_by_the_browser(client: TestClient) -> None:
    answer = client.get("/static/1/shop.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "shop.example"])
def test_the_shop_does_not_start_on_a_host_that_others_reach(monkeypatch, capsys, host: str) -> None:
    monkeypatch.setenv("RERANK_SHOP", "1")
    monkeypatch.setenv("RERANK_HOST", host)
    monkeypatch.setattr("serving.__main__.serve", lambda *_: 0)  # a scorer that starts fails this test at once
    with pytest.raises(SystemExit, match="2"):
        main([])
    said = capsys.readouterr().err
    assert said.startswith("serving: shop lets a visitor act as any user of the log")
    assert said.count("\n") == 1


def test_a_bad_setting_is_said_in_one_line(monkeypatch, capsys) -> None:
    monkeypatch.setenv("RERANK_PORT", "http")
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert capsys.readouterr().err.startswith("serving: RERANK_PORT: ")


@pytest.mark.parametrize(
    ("host", "setting", "is_open"),
    [("127.0.0.1", None, True), ("127.0.0.1", "0", False), ("0.0.0.0", None, False), ("localhost", "1", True)],
)
def test_make_run_opens_the_shop_on_loopback_unless_the_settings_say_otherwise(
    monkeypatch: pytest.MonkeyPatch, host: str, setting: str | None, is_open: bool
) -> None:
    monkeypatch.setenv("RERANK_HOST", host)
    monkeypatch.setenv("RERANK_CLOCK", "wall")
    if setting is not None:
        monkeypatch.setenv("RERANK_SHOP", setting)
    found: list[Settings] = []
    monkeypatch.setattr("serving.__main__.serve", lambda settings, _: found.append(settings) or 0)
    assert main(["--shop"]) == 0
    assert [each.shop for each in found] == [is_open]
