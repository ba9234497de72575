"""What the routes of the marketplace share: its stores and services, put together once per process."""

from __future__ import annotations

from dataclasses import dataclass

from infra.clock import Clock
from infra.settings import Settings
from serving.web.database import Database
from serving.web.events import Reporter
from serving.web.goods.log_users import LogUsers
from serving.web.people.accounts import Accounts
from serving.web.people.visits import Visits
from serving.web.purchases import Purchases
from serving.web.reasons import Explainer
from serving.web.rendering import Renderer
from serving.web.shelves import Shelves


@dataclass
class Parts:
    """``shelves`` and ``explainer`` are replaced when the catalogue has been read."""

    settings: Settings
    clock: Clock
    database: Database
    visits: Visits
    accounts: Accounts
    purchases: Purchases
    reporter: Reporter
    log_users: LogUsers
    renderer: Renderer
    shelves: Shelves
    explainer: Explainer
