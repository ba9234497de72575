"""The HTTP API and the composition root: everything one scorer process consists of is put together here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import orjson
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Floats
from infra.clock import Clock, open_clock
from infra.settings import Settings
from serving import errors
from serving.api import openapi, response_encoder
from serving.api.http_input import JSON, deadline_ms, json_body
from serving.api.readiness import TIMEOUT_S, hanging, readiness
from serving.direct_route import DirectApp, afterwards
from serving.errors import Busy
from serving.events.event_intake import EventIntake
from serving.events.event_schema import parse_events
from serving.later import Later
from serving.metrics import CountRequests, Metrics
from serving.score.answers import (
    ErrorAnswer,
    EventsAnswer,
    ExplainAnswer,
    Health,
    ModelCard,
    ModelFeature,
    Readiness,
    ScoreAnswer,
)
from serving.score.champion import Service
from serving.score.explain import explain
from serving.score.score_parser import MAX_BYTES, parse, parse_explain
from serving.score.scorer import Scorer
from serving.score_log.replay_checkpoint import NewestScore
from serving.score_log.score_log import ScoreLog

START_TIMEOUT_S = 15.0
EVENTS_TIMEOUT_S = 1.0
REPLACEMENT_TIMEOUT_S = 75.0  # longer than the supervisor waits: see serving.__main__
PROBES = 4  # threads that a hanging Redis may hold up
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ErrorAnswer, "description": "No model, or busy"}}
_SCORE_ERRORS: dict[int | str, dict[str, Any]] = {
    413: {"model": ErrorAnswer, "description": f"More than {MAX_BYTES} bytes"},
    415: {"model": ErrorAnswer, "description": f"Not {JSON}"},
    422: {"model": ErrorAnswer, "description": "Not JSON, not of this form, or unknown names; each place is named"},
    **_NOT_READY,
}


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    started: Callable[[Service], None] = lambda _: None,
    replaces: bool = False,
) -> FastAPI:
    """The scorer of ``settings.dataset``; ``clock`` overrides the one of the settings.

    The model is loaded when the app starts, and ``started`` is called then. One that ``replaces`` another waits for a
    model longer than that is waited for, so that the other is not given up for it. Raises ClockNotAnchored.
    """
    metrics = metrics or Metrics()
    clock = clock or open_clock(settings)
    newest = NewestScore(settings)
    score_log = ScoreLog(settings, metrics)

    def scored(record: ScoreRecord, matrix: Floats) -> None:
        newest.note(record.scored_us)
        score_log.append(record, matrix)

    service = Service(settings, clock, metrics, scored)
    intake = EventIntake(settings, clock, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        timeout_s = REPLACEMENT_TIMEOUT_S if replaces else START_TIMEOUT_S
        await asyncio.gather(service.start(timeout_s, until_served=replaces), intake.start(EVENTS_TIMEOUT_S))
        newest.start()
        score_log.start()
        started(service)
        try:
            yield
        finally:
            await intake.close()
            await run_sync(newest.close)
            await run_sync(score_log.close)
            await service.close()

    app = DirectApp(
        metrics.request,
        traced=settings.opentelemetry,
        title="feast-rerank",
        version="1",
        description="Puts a list in the best order for this user, in this session, now.",
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_middleware(CountRequests, metrics=metrics)
    errors.install(app)
    _add_score(app, settings, service, metrics)
    _add_explain(app, settings, service)
    _add_events(app, settings, intake)
    _add_state(app, settings, service, metrics)

    def document() -> dict[str, Any]:
        return openapi.document(app, service.declaration)

    app.openapi = document  # type: ignore[method-assign]
    return app


def _add_score(app: DirectApp, settings: Settings, service: Service, metrics: Metrics) -> None:
    write = response_encoder.encoder()

    async def answer(scorer: Scorer, body: bytes, deadline: float, later: Later) -> bytes:
        with metrics.stage("parse", later):
            request = parse(body)
        found = await scorer.score(request, deadline, later)
        with metrics.stage("write", later):
            return write(found)

    @app.direct(
        "/score",
        responses={200: {"model": ScoreAnswer}, **_SCORE_ERRORS},
        openapi_extra={"requestBody": openapi.SCORE_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )
    async def score(request: Request) -> Response:
        """Put up to 2,000 candidates in the best order for this user, in this session, now.

        Users, sessions and items that the store does not know are scored too, and counted in ``missing``.
        """
        deadline = time.monotonic() + deadline_ms(request, settings.deadline_ms) / 1000
        body = await json_body(request, MAX_BYTES)
        content = await answer(service.scorer(), body, deadline, afterwards(request))
        return Response(content, media_type=JSON)


def _add_explain(app: FastAPI, settings: Settings, service: Service) -> None:
    one_at_a_time = asyncio.Lock()  # it takes seconds of a core for the longest lists

    @app.post(
        "/explain",
        responses={
            200: {"model": ExplainAnswer},
            409: {"model": ErrorAnswer, "description": "A baseline"},
            **_SCORE_ERRORS,
        },
        response_class=Response,
        openapi_extra={"requestBody": openapi.EXPLAIN_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )
    async def explained(request: Request) -> Response:
        """What each feature adds to each score, and why one of a pair of items stands above the other."""
        deadline = time.monotonic() + deadline_ms(request, settings.deadline_ms) / 1000
        asked, pair = parse_explain(await json_body(request, MAX_BYTES))
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await one_at_a_time.acquire()
        except TimeoutError:
            raise Busy("other lists are being explained; ask again") from None
        try:
            found = await explain(service.scorer(), asked, pair, deadline)
        finally:
            one_at_a_time.release()
        return Response(orjson.dumps(found), media_type=JSON)


def _add_events(app: DirectApp, settings: Settings, intake: EventIntake) -> None:
    @app.direct(
        "/events",
        status_code=202,
        responses={
            202: {"model": EventsAnswer},
            **{status: _SCORE_ERRORS[status] for status in (413, 415, 422)},
            503: {"model": ErrorAnswer, "description": "Not kept for now: send them again"},
        },
        openapi_extra={"requestBody": openapi.EVENTS_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )
    async def events(request: Request) -> Response:
        """Tell what users did: up to 1,000 events, each counted once however often it is sent.

        What is accepted is on disk, and the next /score of its session knows of it.
        """
        deadline = time.monotonic() + deadline_ms(request, settings.deadline_ms) / 1000
        sent = parse_events(await json_body(request, MAX_BYTES))
        found = await intake.take(sent, deadline - time.monotonic())
        return Response(orjson.dumps(found), 202, media_type=JSON)


def _add_state(app: FastAPI, settings: Settings, service: Service, metrics: Metrics) -> None:
    probes = anyio.CapacityLimiter(PROBES)

    @app.get("/healthz", responses={200: {"model": Health}}, response_class=Response)
    async def healthz() -> Response:
        """Whether the process answers."""
        return Response(orjson.dumps(Health()), media_type=JSON)

    @app.get("/readyz", responses={200: {"model": Readiness}, 503: {"model": Readiness}}, response_class=Response)
    async def readyz() -> Response:
        """Whether a model is loaded, its contract matches, Redis answers and features can be read."""
        found = hanging(service)
        with anyio.move_on_after(TIMEOUT_S + 1):
            found = await run_sync(readiness, service, settings, abandon_on_cancel=True, limiter=probes)
        return Response(orjson.dumps(found), 200 if found.ready else 503, media_type=JSON)

    @app.get("/model", responses={200: {"model": ModelCard}, **_NOT_READY}, response_class=Response)
    async def model() -> Response:
        """The model in service and its inputs."""
        return Response(orjson.dumps(model_card(service.scorer())), media_type=JSON)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        """Prometheus' text format: latency by stage, candidates, missing and degraded, requests by status."""
        if service.features is not None:
            metrics.cached_items(service.features.cached_items)
        return Response(metrics.text(), media_type=METRICS_TYPE)


def model_card(scorer: Scorer) -> ModelCard:
    model, contract = scorer.model, scorer.model.contract
    return ModelCard(
        name=model.name,
        version=model.version,
        kind=model.kind,
        baseline=model.kind == "baseline",
        run_id=model.run_id,
        contract_hash=contract.contract_hash,
        feature_service=contract.feature_service,
        features=tuple(ModelFeature(f.name, f.dtype, f.source) for f in contract.features),
        context=tuple(column.name for column in scorer.declaration.context),
        tags=model.tags,
        engine=model.engine,
    )
