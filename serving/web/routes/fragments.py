"""Parts of pages that scripts ask for: a shelf in its new order, a quick look, an explanation, the panel."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from infra.clock import epoch_us
from serving.errors import Busy, NotReady
from serving.features.reading import Keys, StoreAway
from serving.web.parts import Parts
from serving.web.reasons import NothingToExplain
from serving.web.routes.guard import Visitor, route
from serving.web.routes.lists import explained, ordering_of, shelf, shown
from serving.web.routes.pages import HOME_ITEMS

PANEL_TIMEOUT_S = 0.5
COUNTERS = (
    "views",
    "likes",
    "carts",
    "removes",
    "orders",
    "searches",
    "items",
    "categories",
    "cart_size",
    "cart_value",
)


def fragment_routes(parts: Parts) -> list[Route]:
    return [
        route(parts, "GET", "/shelf", shelf_again),
        route(parts, "GET", "/look/{item_id:path}", quick_look),
        route(parts, "GET", "/why", why),
        route(parts, "GET", "/panel", panel),
    ]


async def shelf_again(visitor: Visitor) -> Response:
    name, many = visitor.query("list", "for-you"), shown(visitor.query("k"), HOME_ITEMS)
    found = await shelf(visitor, name, many, ordering_of(visitor.query("ordering")))
    response = HTMLResponse(visitor.fragment("shelf.html", shelf=found, name=name, k=many))
    response.headers["server-timing"] = ", ".join(
        f"{stage};dur={seconds * 1e3:.2f}" for stage, seconds in visitor.stages.items()
    )
    return response


async def quick_look(visitor: Visitor) -> Response:
    item_id = visitor.request.path_params["item_id"]
    item = (await visitor.parts.shelves.items([item_id], visitor.deadline))[item_id]
    values = {"item": item, "from_": visitor.query("from"), "at": visitor.query("at")}
    return HTMLResponse(visitor.fragment("look.html", **values))


async def why(visitor: Visitor) -> Response:
    item_id, name = visitor.query("item"), visitor.query("list", "for-you")
    item = visitor.parts.shelves.catalogue.item(item_id)
    found, problem = None, ""
    try:
        found = await explained(visitor, name, item_id, shown(visitor.query("k"), HOME_ITEMS))
    except (NothingToExplain, Busy) as error:
        problem = str(error)
    return HTMLResponse(visitor.fragment("why.html", item=item, explained=found, problem=problem))


async def panel(visitor: Visitor) -> Response:
    """What the system knows of this session, and what served it."""
    parts = visitor.parts
    session, problem = await _session(visitor)
    values: dict[str, Any] = {
        "session": session,
        "counters": [(name, session.get(f"session_{name}")) for name in COUNTERS],
        "recent": list(zip(session.get("recent_items", ()), session.get("recent_actions", ()), strict=False))[:8],
        "items": {each: parts.shelves.catalogue.item(each) for each in session.get("recent_items", ())},
        "problem": problem,
        "models": _models(parts),
        "now": visitor.now,
        "clock": parts.clock.mode,
    }
    return HTMLResponse(visitor.fragment("panel.html", **values))


async def _session(visitor: Visitor) -> tuple[dict[str, Any], str]:
    """The session's features as the scorer reads them, and why they cannot be read."""
    parts = visitor.parts
    features = parts.shelves.features
    if features is None:
        return {}, "no model is in service, so nothing reads features"
    now_us = epoch_us(visitor.now)
    keys = Keys(
        visitor.visit.user_id, visitor.visit.session_id, (), now_us, service_us=lambda us: epoch_us(parts.clock.at(us))
    )
    try:
        return dict((await features.entities(keys, PANEL_TIMEOUT_S)).session), ""
    except StoreAway as error:
        return {}, str(error)


def _models(parts: Parts) -> list[dict[str, str]]:
    found = []
    for use, get in (("/score", parts.shelves.champion.scorer), ("/recommend", parts.shelves.recommend.get)):
        try:
            model = get().model
        except NotReady:
            found.append({"use": use, "name": "none in service", "version": "", "kind": "", "engine": ""})
            continue
        engine = model.engine.name
        found.append({"use": use, "name": model.name, "version": model.version, "kind": model.kind, "engine": engine})
    return found
