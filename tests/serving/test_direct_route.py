"""Requests that go past FastAPI, and those that do not."""

import asyncio
from contextlib import suppress

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from serving import errors
from serving.direct_route import DirectRoutes, afterwards, direct
from serving.metrics import CountRequests, Metrics


@pytest.fixture
def asked():
    """A client of an app with one direct route, and what of each request is counted."""
    app, metrics, counted = FastAPI(), Metrics(), []
    metrics.request = lambda *each: counted.append(each)
    routes: dict[str, APIRoute] = {}
    app.add_middleware(DirectRoutes, routes=routes)
    app.add_middleware(CountRequests, metrics=metrics)
    errors.install(app)

    @direct(app, routes, "/echo", summary="Says it again")
    async def echo(request: Request) -> Response:
        body = await request.body()
        if body == b"refuse":
            raise errors.Busy("not now")
        if body == b"break":
            raise LookupError("a fault of ours")
        return Response(body, 202)

    return TestClient(app, raise_server_exceptions=False), counted


def test_a_post_is_answered_and_counted(asked):
    client, counted = asked
    found = client.post("/echo", content=b"hello")
    assert (found.status_code, found.content) == (202, b"hello")
    assert counted == [("/echo", 202)]


def test_a_refusal_has_the_body_of_every_refusal(asked):
    client, counted = asked
    found = client.post("/echo", content=b"refuse")
    assert found.status_code == 503
    assert found.json()["error"] == {"type": "busy", "message": "not now", "details": []}
    assert counted == [("/echo", 503)]


def test_a_fault_is_answered_by_the_app_and_counted(asked):
    client, counted = asked
    found = client.post("/echo", content=b"break")
    assert found.status_code == 500
    assert found.json()["error"]["type"] == "internal_error"
    assert counted == [("/echo", 500)]


def test_all_else_takes_fastapis_way(asked):
    client, counted = asked
    assert client.get("/echo").status_code == 405
    assert client.post("/other").status_code == 404
    assert client.get("/openapi.json").json()["paths"]["/echo"]["post"]["summary"] == "Says it again"
    assert counted == [("/echo", 405), ("other", 404), ("other", 200)]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"hello", ["http.response.start", "http.response.body"]),
        (b"refuse", ["http.response.start", "http.response.body"]),
        (b"break", []),
        (b"lost", []),
    ],
)
def test_what_an_answer_need_not_wait_for_is_done_after_it_is_sent_and_also_when_it_is_not(body, sent):
    app, routes, done = FastAPI(), {}, []

    @direct(app, routes, "/echo")
    async def echo(request: Request) -> Response:
        afterwards(request)(lambda: done.append("afterwards"))
        if body == b"refuse":
            raise errors.Busy("not now")
        if body == b"break":
            raise LookupError("a fault of ours")
        return Response(body)

    async def send(message):
        if body == b"lost":
            raise OSError("nobody is there")
        done.append(message["type"])

    scope = {"type": "http", "method": "POST", "path": "/echo"}
    with suppress(LookupError, OSError):
        asyncio.run(DirectRoutes(app, routes)(scope, None, send))
    assert done == [*sent, "afterwards"]
    assert scope.keys() == {"type", "method", "path", "route"}, "uvicorn keeps the scope while the connection is idle"
