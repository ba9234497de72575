"""Puts the marketplace together. :mod:`serving.api.app` opens it where Settings.shop is on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import Declaration
from infra.clock import Clock
from infra.settings import Settings
from serving.events.event_intake import EventIntake
from serving.recommend.service import RecommendModel
from serving.score.champion import ChampionService
from serving.web.database import Database
from serving.web.events import Reporter
from serving.web.goods.catalogue import Catalogue, read_catalogue
from serving.web.goods.log_users import LogUsers
from serving.web.parts import Parts
from serving.web.people.accounts import Accounts
from serving.web.people.visits import Visits
from serving.web.purchases import Purchases
from serving.web.reasons import Explainer
from serving.web.rendering import STATIC, Renderer
from serving.web.routes.account_routes import account_routes
from serving.web.routes.actions import action_routes
from serving.web.routes.fragments import fragment_routes
from serving.web.routes.pages import page_routes
from serving.web.shelves import Shelves

YEAR_S = 31_536_000

log = logging.getLogger(__name__)


class Shop:
    """``routes``: of the app that it is part of. The catalogue is read by :meth:`start`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        champion: ChampionService,
        recommend: RecommendModel,
        intake: EventIntake,
    ) -> None:
        self._declaration = _declaration(settings)
        database = Database(settings.shop_dir)
        shelves = Shelves(Catalogue(problem="the catalogue is being read"), champion, recommend, clock)
        self._parts = Parts(
            settings=settings,
            clock=clock,
            database=database,
            visits=Visits(database, settings.shop_dir),
            accounts=Accounts(database),
            purchases=Purchases(database),
            reporter=Reporter(intake, database),
            log_users=LogUsers(settings, self._declaration),
            renderer=Renderer(self._declaration.timezone, self._declaration.title),
            shelves=shelves,
            explainer=Explainer(shelves),
        )
        made = (page_routes, account_routes, action_routes, fragment_routes)
        static = Mount("/static/{version}", _Assets(directory=STATIC), name="static")
        self.routes: Sequence[BaseRoute] = [static, *(each for routes in made for each in routes(self._parts))]

    async def start(self) -> None:
        """Takes a second or so for a large log."""
        parts = self._parts
        parts.visits.forget_ended(parts.clock.now())
        try:
            catalogue = await run_sync(read_catalogue, parts.settings, self._declaration)
        except Exception as error:  # a damaged log does not prevent serving
            log.exception("the shop has no catalogue")
            catalogue = Catalogue(problem=f"the log cannot be read: {error}")
        parts.shelves = replace(parts.shelves, catalogue=catalogue)
        parts.explainer = Explainer(parts.shelves)
        await run_sync(self._warm)

    def close(self) -> None:
        self._parts.database.close()

    def _warm(self) -> None:
        """Now rather than in a visitor's first request."""
        catalogue = self._parts.shelves.catalogue
        catalogue.search("a", 1)
        _ = catalogue.categories
        self._parts.log_users.shown()


class _Assets(StaticFiles):
    """Their address has their version, so a browser keeps them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = f"public, max-age={YEAR_S}, immutable"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def _declaration(settings: Settings) -> Declaration:
    try:
        return declaration_of(settings)
    except DatasetError:
        return Declaration(settings.dataset, settings.dataset)
