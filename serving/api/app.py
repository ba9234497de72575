"""The composition root: everything that one scorer process consists of is put together here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.types import Scope

from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Floats
from infra.clock import Clock, open_clock
from infra.settings import Settings
from serving.api import error_answers, openapi
from serving.api.endpoint_paths import EndpointPaths
from serving.api.middleware.admission import Admission, Admit
from serving.api.middleware.origins import AllowOrigins
from serving.api.middleware.request_count import CountRequests
from serving.api.readiness import events_check
from serving.api.routes import endpoints
from serving.events.event_intake import EventIntake
from serving.events.item_intake import ItemIntake
from serving.metrics import Metrics
from serving.recommend.policy import read_policy
from serving.recommend.service import RecommendModel, recommend_model
from serving.score.champion import ChampionService
from serving.score_log.replay_checkpoint import ReplayCheckpoint
from serving.score_log.score_log import ScoreLog

if TYPE_CHECKING:
    from serving.web.shop import Shop

START_TIMEOUT_S = 30.0  # a LightGBM model is tried in a child process first
EVENTS_TIMEOUT_S = 1.0
REPLACEMENT_TIMEOUT_S = 75.0  # longer than the supervisor's own: see serving.__main__

log = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    started: Callable[[ChampionService], None] = lambda _: None,
    replaces: bool = False,
) -> FastAPI:
    """The scorer of ``settings.dataset``; ``clock`` overrides the one of the settings.

    The model is loaded when the app starts; then ``started`` is called. An app that ``replaces`` another waits longer
    for its model than its supervisor waits for it, so that the other is not stopped without a successor.
    The shop's policy is read from Settings.params_file here. Raises ClockNotAnchored or BadPolicy.
    """
    metrics = metrics or Metrics()
    clock = clock or open_clock(settings)
    checkpoint = ReplayCheckpoint(settings)
    score_log = ScoreLog(settings, metrics)

    def on_scored(record: ScoreRecord, matrix: Floats) -> None:
        checkpoint.note(record.scored_us)
        score_log.append(record, matrix)

    champion = ChampionService(settings, clock, metrics, on_scored)
    recommend = recommend_model(settings, read_policy(settings), clock, metrics, on_scored, champion.readers)
    champion.follow(recommend)
    intake = EventIntake(settings, clock, metrics, lambda: champion.declaration)
    items = ItemIntake(settings, clock, metrics, lambda: champion.declaration)
    shop = open_shop(settings, clock, champion, recommend, intake) if settings.shop else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        timeout_s = REPLACEMENT_TIMEOUT_S if replaces else START_TIMEOUT_S
        await asyncio.gather(
            champion.start(timeout_s, until_served=replaces),
            intake.start(EVENTS_TIMEOUT_S),
            items.start(EVENTS_TIMEOUT_S),
        )
        await warn_of_events(settings)
        if shop is not None:
            await shop.start()
        checkpoint.start()
        score_log.start()
        started(champion)
        try:
            yield
        finally:
            await intake.close()
            await items.close()
            await run_sync(checkpoint.close)
            await run_sync(score_log.close)
            await champion.close()
            if shop is not None:
                shop.close()

    table = endpoints(settings, champion, recommend, intake, items, metrics)
    paths = EndpointPaths(table)

    def admission_of(scope: Scope) -> Admission | None:
        found = paths.find(scope)
        return None if found is None else found.admission

    traced = settings.opentelemetry
    app = FastAPI(
        title="feast-rerank",
        version="1",
        description="Puts a list in the best order for this user, in this session, now.",
        lifespan=lifespan,
        routes=[*(endpoint.route for endpoint in table), *(shop.routes if shop is not None else ())],
        telemetry={"tracing": traced, "metrics": traced, "logs": traced},
    )
    app.state.champion = champion
    app.add_middleware(Admit, find=admission_of, default_deadline_ms=settings.deadline_ms)
    if settings.events_origins:
        app.add_middleware(AllowOrigins, path="/events", origins=settings.events_origins)
    app.add_middleware(CountRequests, metrics=metrics, endpoints=table)
    error_answers.install(app)

    def document() -> dict[str, Any]:
        return openapi.document(app, table, champion.declaration)

    app.openapi = document  # type: ignore[method-assign]
    return app


def open_shop(
    settings: Settings, clock: Clock, champion: ChampionService, recommend: RecommendModel, intake: EventIntake
) -> Shop:
    """Imported here: its packages are the extra ``browser``, without which the rest serves."""
    try:
        from serving.web.shop import Shop
    except ModuleNotFoundError as error:
        raise RuntimeError(f"RERANK_SHOP=1 needs the extra browser ({error.name} is missing)") from error
    return Shop(settings, clock, champion, recommend, intake)


async def warn_of_events(settings: Settings) -> None:
    """Say at the start what /readyz says later: that events cannot be stored, or may be lost."""
    with anyio.move_on_after(EVENTS_TIMEOUT_S):
        check = await run_sync(events_check, settings, abandon_on_cancel=True)
        if not check.ok:
            log.warning("/events: %s", check.message)
