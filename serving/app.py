"""The HTTP API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.clock import Clock, open_clock
from infra.settings import Settings
from serving.errors import BodyTooLarge, ErrorAnswer, NotReady, install, respond
from serving.metrics import Metrics
from serving.newest_score import NewestScore
from serving.requests import ScoreRequest
from serving.responses import Health, ModelCard, ModelFeature, Readiness, ScoreAnswer
from serving.service import Service, make_service

MOST_BYTES = 4 * 1024 * 1024

_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not JSON in UTF-8"},
    413: {"model": ErrorAnswer, "description": f"The body is larger than {MOST_BYTES} bytes"},
    422: {"model": ErrorAnswer, "description": "The body is not a valid request; the place is named"},
    503: {"model": ErrorAnswer, "description": "No model, or one that this scorer must not use"},
}


def create_app(settings: Settings, clock: Clock | None = None) -> FastAPI:
    """``clock`` defaults to the one that the settings name. Raises ClockNotAnchored."""
    metrics = Metrics()
    service_clock = clock or open_clock(settings)
    newest = NewestScore(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = make_service(settings, service_clock, metrics)
        newest.start()
        yield
        newest.stop()

    app = FastAPI(title="feast-rerank", version="1", lifespan=lifespan)
    install(app)
    app.add_middleware(LimitBody)
    _count_answers(app, metrics)

    @app.post("/score", response_model=ScoreAnswer, responses=_ERRORS)
    def score(body: ScoreRequest, request: Request) -> Response:
        """Put the items in the best order for this user and session."""
        answer = _service(request).ready_scorer().score(body)
        newest.seen(datetime.fromisoformat(answer.scored_at))
        with metrics.stage("write"):
            return Response(orjson.dumps(answer.model_dump()), media_type="application/json")

    @app.get("/healthz")
    def healthz() -> Health:
        """The process answers."""
        return Health(status="ok")

    @app.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
    def readyz(request: Request) -> Response:
        """Model loaded, contract matches, Redis reachable."""
        checks = _service(request).checks()
        body = Readiness(ready=all(check.ok for check in checks), checks=checks)
        return Response(body.model_dump_json(), 200 if body.ready else 503, media_type="application/json")

    @app.get("/model", responses={503: _ERRORS[503]})
    def model(request: Request) -> ModelCard:
        """The model in service and the inputs it takes."""
        service = _service(request)
        if service.model is None:
            raise NotReady(service.model_problem)
        contract = service.model.contract
        return ModelCard(
            name=service.model.name,
            version=service.model.version,
            kind=service.model.kind,
            run_id=service.model.run_id,
            contract_hash=contract.contract_hash,
            feature_service=contract.feature_service,
            features=[ModelFeature(name=f.name, dtype=f.dtype, source=f.source) for f in contract.features],
            tags=service.model.tags,
        )

    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"}},
    )
    def prometheus() -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _count_answers(app: FastAPI, metrics: Metrics) -> None:
    @app.middleware("http")
    async def count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await call_next(request)
        route = request.scope.get("route")
        metrics.answers.labels(getattr(route, "path", "other"), str(answer.status_code)).inc()
        return answer


class LimitBody:
    """Refuse a body of more than MOST_BYTES, by its header or as it comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        refusal = respond(BodyTooLarge(f"the body is larger than {MOST_BYTES} bytes"))
        if not announced.isdigit() or int(announced) > MOST_BYTES:
            await refusal(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MOST_BYTES:
                await refusal(scope, receive, send)
                return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)
