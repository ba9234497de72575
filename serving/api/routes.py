"""The endpoints. Each reads its request, calls the rest of serving, and writes the answer."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import anyio
import orjson
from anyio.to_thread import run_sync
from fastapi import Response
from fastapi.responses import PlainTextResponse
from starlette.background import BackgroundTask
from starlette.requests import Request

from infra.limits import MAX_BODY_BYTES, MAX_EVENTS, MAX_ITEM_CHANGES, MAX_ITEMS
from infra.settings import Settings
from serving.api import openapi
from serving.api.answers import ErrorAnswer, Health, ModelCard, Readiness
from serving.api.endpoint import Documented, Endpoint
from serving.api.http_input import JSON, json_body
from serving.api.middleware.admission import Admission
from serving.api.readiness import TIMEOUT_S, events_check, no_answer, readiness, store_checks
from serving.api.recommend_routes import recommend_endpoints
from serving.api.response_encoder import encode_score
from serving.errors import Busy
from serving.events.event_intake import EventIntake
from serving.events.event_schema import EventsAnswer, parse_events
from serving.events.item_intake import ItemIntake
from serving.events.item_schema import ItemsAnswer
from serving.metrics import Metrics
from serving.recommend.explain_recommended import explain_recommended
from serving.recommend.recommend_parser import parse_explain_recommend
from serving.recommend.service import RecommendModel
from serving.score.answers import ExplainAnswer, ScoreAnswer
from serving.score.champion import ChampionService
from serving.score.explain import explain
from serving.score.score_parser import parse, parse_explain

MAX_EXPLANATIONS = 8  # one is made at a time, the others wait
PROBES = 4  # threads that a Redis that hangs may occupy
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_NOT_READY: Documented = {
    503: {"model": ErrorAnswer, "description": "No model, or too many requests: send it again later"}
}
_BAD_BODY: Documented = {
    408: {"model": ErrorAnswer, "description": "The body was not complete within the deadline"},
    413: {"model": ErrorAnswer, "description": f"More than {MAX_BODY_BYTES} bytes"},
    415: {"model": ErrorAnswer, "description": f"Not {JSON}"},
    422: {
        "model": ErrorAnswer,
        "description": "Not JSON, not of this form, unknown names, or a fact out of its range; each has its location",
    },
}


def endpoints(
    settings: Settings,
    champion: ChampionService,
    recommend: RecommendModel,
    intake: EventIntake,
    items: ItemIntake,
    metrics: Metrics,
) -> list[Endpoint]:
    admission = _admission("/recommend", settings.max_in_flight, metrics)
    return [
        score_endpoint(settings, champion, metrics),
        *recommend_endpoints(settings, recommend, metrics, admission, _BAD_BODY),
        explain_endpoint(champion, recommend, metrics),
        events_endpoint(settings, intake, metrics),
        items_endpoint(settings, items, metrics),
        *state_endpoints(settings, champion, recommend, metrics),
    ]


def score_endpoint(settings: Settings, champion: ChampionService, metrics: Metrics) -> Endpoint:
    admission = _admission("/score", settings.max_in_flight, metrics)

    async def score(request: Request) -> Response:
        body = await json_body(request)
        async with admission.slot(request.state.deadline):
            scorer = champion.scorer()
            with metrics.stage("parse"):
                parsed = parse(body)
            scored = await scorer.score(parsed, request.state.deadline)
            with metrics.stage("write"):
                content = encode_score(scored.answer)

        async def record() -> None:  # on the event loop: a plain function would run on a thread
            scorer.record(scored)

        return Response(content, media_type=JSON, background=BackgroundTask(record))

    score.__doc__ = f"""Put up to {MAX_ITEMS:,} candidates in the best order for this user, in this session, now.

    Users, sessions and items that the store does not know are scored too, and counted in ``missing``.
    """
    return Endpoint(
        "POST",
        "/score",
        score,
        admission,
        answers={200: {"model": ScoreAnswer}, **_BAD_BODY, **_NOT_READY},
        extra={"requestBody": openapi.SCORE_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )


def explain_endpoint(champion: ChampionService, recommend: RecommendModel, metrics: Metrics) -> Endpoint:
    admission = _admission("/explain", MAX_EXPLANATIONS, metrics)
    one_at_a_time = asyncio.Lock()  # a list of the largest size takes seconds of a core

    async def explained(request: Request) -> Response:
        """What each feature adds to each score, and why one of a pair of items ranks above the other.

        Of a list that the caller sends, or of a recommendation.
        """
        deadline = request.state.deadline
        body = await json_body(request)
        async with admission.slot(deadline):
            recommended = parse_explain_recommend(body)
            parsed = parse_explain(body) if recommended is None else None
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await one_at_a_time.acquire()
            except TimeoutError:
                raise Busy("other lists are being explained; send the request again") from None
            try:
                if recommended is not None:
                    answer = await explain_recommended(recommend.get(), *recommended, deadline)
                elif parsed is not None:
                    answer = await explain(champion.scorer(), *parsed, deadline)
            finally:
                one_at_a_time.release()
        return Response(orjson.dumps(answer), media_type=JSON)

    return Endpoint(
        "POST",
        "/explain",
        explained,
        admission,
        answers={
            200: {"model": ExplainAnswer},
            409: {"model": ErrorAnswer, "description": "The model in service is a baseline"},
            **_BAD_BODY,
            **_NOT_READY,
        },
        extra={"requestBody": openapi.EXPLAIN_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )


def events_endpoint(settings: Settings, intake: EventIntake, metrics: Metrics) -> Endpoint:
    admission = _admission("/events", settings.max_in_flight, metrics)

    async def events(request: Request) -> Response:
        body = await json_body(request, settings.events_origins)
        async with admission.slot(request.state.deadline):
            answer = await intake.take(parse_events(body), request.state.deadline - time.monotonic())
        status = 202 if answer.accepted or answer.duplicates else 422
        return Response(orjson.dumps(answer), status, media_type=JSON)

    events.__doc__ = f"""Send what users did: up to {MAX_EVENTS:,} events. An event that is sent again counts once.

    An accepted event is on disk, and the next /score of its session reads it. When every event is rejected, the status
    is 422 and the body the same.
    """
    return Endpoint(
        "POST",
        "/events",
        events,
        admission,
        status=202,
        answers={
            202: {"model": EventsAnswer},
            **_BAD_BODY,
            422: {
                "model": EventsAnswer | ErrorAnswer,
                "description": "All events are rejected, or none is sent",
            },
            503: {"model": ErrorAnswer, "description": "The events cannot be stored now: send them again"},
        },
        extra={"requestBody": openapi.EVENTS_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )


def items_endpoint(settings: Settings, intake: ItemIntake, metrics: Metrics) -> Endpoint:
    admission = _admission("/items", settings.max_in_flight, metrics)

    async def items(request: Request) -> Response:
        body = await json_body(request)  # from no page of another origin: see docs/live-events.md
        async with admission.slot(request.state.deadline):
            answer = await intake.take(body, request.state.deadline - time.monotonic())
        status = 202 if answer.accepted or answer.duplicates else 422
        return Response(orjson.dumps(answer), status, media_type=JSON)

    items.__doc__ = f"""Change price, stock and attributes of items, and bring new ones: {MAX_ITEM_CHANGES:,} at most.

    A change that is sent again with its ``change_id`` counts once. An accepted change is on disk, and the next answer
    shows it. When every change is rejected, the status is 422 and the body the same.
    """
    return Endpoint(
        "POST",
        "/items",
        items,
        admission,
        status=202,
        answers={
            202: {"model": ItemsAnswer},
            **_BAD_BODY,
            422: {"model": ItemsAnswer | ErrorAnswer, "description": "All changes are rejected, or none is sent"},
            503: {"model": ErrorAnswer, "description": "The changes cannot be stored now: send them again"},
        },
        extra={"requestBody": openapi.ITEMS_BODY, "parameters": [openapi.DEADLINE_HEADER]},
    )


def state_endpoints(
    settings: Settings, champion: ChampionService, recommend: RecommendModel, metrics: Metrics
) -> list[Endpoint]:
    probes, event_probes = anyio.CapacityLimiter(PROBES), anyio.CapacityLimiter(PROBES)

    async def healthz(_: Request) -> Response:
        """Whether the process answers."""
        return Response(orjson.dumps(Health()), media_type=JSON)

    async def readyz(_: Request) -> Response:
        """Whether a model is loaded, its contract matches, Redis answers and is filled, and events can be stored."""
        store, events = no_answer("redis", "features", "store"), no_answer("events")[0]

        async def look_at_store() -> None:
            nonlocal store
            store = await run_sync(store_checks, champion, settings, abandon_on_cancel=True, limiter=probes)

        async def look_at_events() -> None:
            nonlocal events
            events = await run_sync(events_check, settings, abandon_on_cancel=True, limiter=event_probes)

        with anyio.move_on_after(TIMEOUT_S + 1):
            async with anyio.create_task_group() as looking:
                looking.start_soon(look_at_store)
                looking.start_soon(look_at_events)
        found = readiness(champion, recommend, settings, store, events)
        return Response(orjson.dumps(found), 200 if found.ready else 503, media_type=JSON)

    async def model(_: Request) -> Response:
        """The model in service and its inputs, and the model of /recommend if there is one."""
        card = ModelCard.of(champion.scorer(), recommend.get() if recommend.is_served else None)
        return Response(orjson.dumps(card), media_type=JSON)

    async def prometheus(_: Request) -> Response:
        """Prometheus' text format: latency by stage, candidates, missing and degraded, requests by status."""
        if champion.features is not None:
            metrics.cached_items(champion.features.client.cached_items)
        return Response(metrics.text(), media_type=METRICS_TYPE)

    return [
        Endpoint("GET", "/healthz", healthz, answers={200: {"model": Health}}),
        Endpoint("GET", "/readyz", readyz, answers={200: {"model": Readiness}, 503: {"model": Readiness}}),
        Endpoint("GET", "/model", model, answers={200: {"model": ModelCard}, **_NOT_READY}),
        Endpoint("GET", "/metrics", prometheus, answer_class=PlainTextResponse),
    ]


def _admission(path: str, max_in_flight: int, metrics: Metrics) -> Admission:
    return Admission(max_in_flight, partial(metrics.refused, path))
