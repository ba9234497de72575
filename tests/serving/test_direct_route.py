"""Requests that go past FastAPI, and those that do not."""

import asyncio
from contextlib import suppress

import pytest
from fastapi import Request, Response
from fastapi.testclient import TestClient

from serving import errors
from serving.direct_route import DirectApp, afterwards
from serving.metrics import CountRequests, Metrics


@pytest.fixture(params=[False, True], ids=["direct", "traced"])
def asked(request):
    """A client of an app with one direct route, and what of each request is counted."""
    metrics, counted = Metrics(), []
    metrics.request = lambda *each: counted.append(each)
    app = DirectApp(metrics.request, traced=request.param)
    app.add_middleware(CountRequests, metrics=metrics)
    errors.install(app)

    @app.direct("/echo", summary="Says it again")
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


def test_a_fault_is_logged_answered_and_counted(asked, caplog):
    client, counted = asked
    found = client.post("/echo", content=b"break")
    assert "a fault of ours" in caplog.text
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
    ("body", "sent", "status"),
    [
        (b"hello", ["http.response.start", "http.response.body"], 200),
        (b"refuse", ["http.response.start", "http.response.body"], 503),
        (b"break", ["http.response.start", "http.response.body"], 500),
        (b"lost", [], 200),
    ],
)
def test_what_an_answer_need_not_wait_for_is_done_after_it_is_sent_and_also_when_it_is_not(body, sent, status):
    done = []
    app = DirectApp(lambda path, status: done.append((path, status)))

    @app.direct("/echo")
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
    with suppress(OSError):
        asyncio.run(app(scope, None, send))
    assert done == [*sent, ("/echo", status), "afterwards"]
    assert scope.keys() == {"type", "method", "path"}, "uvicorn keeps the scope while the connection is idle"
