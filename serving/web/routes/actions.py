"""What a visitor does: forms that work without scripts, and answer scripts with JSON."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from infra.limits import MAX_TEXT_LENGTH
from serving.web.events import event
from serving.web.parts import Parts
from serving.web.routes.guard import Visitor, own_path, route
from serving.web.routes.lists import ordering_of
from serving.web.routes.pages import followed


def action_routes(parts: Parts) -> list[Route]:
    return [
        route(parts, "POST", "/view", view),
        route(parts, "POST", "/like", like),
        route(parts, "POST", "/cart/add", add),
        route(parts, "POST", "/cart/remove", remove),
        route(parts, "POST", "/order", order),
        route(parts, "POST", "/ordering", choose),
    ]


async def view(visitor: Visitor) -> Response:
    item_id = _item(visitor)
    return await _done(visitor, "Seen", event("view", item_id, _followed(visitor))) if item_id else _unknown(visitor)


async def like(visitor: Visitor) -> Response:
    item_id = _item(visitor)
    if not item_id:
        return _unknown(visitor)
    if visitor.parts.purchases.like(visitor.visit.user_id, item_id, visitor.now):
        return await _done(visitor, "Liked", event("like", item_id, _followed(visitor)), liked=True)
    return await _done(visitor, "No longer liked", liked=False)  # the log has no event for it


async def add(visitor: Visitor) -> Response:
    item_id, from_ = _item(visitor), _followed(visitor)
    if not item_id:
        return _unknown(visitor)
    visitor.parts.purchases.add(
        visitor.visit.user_id, item_id, visitor.now, from_.request_id, from_.shown_position
    )  # first here: the cart is right even where the event cannot be stored
    return await _done(visitor, "Added to the cart", event("add_to_cart", item_id, from_, quantity=1))


async def remove(visitor: Visitor) -> Response:
    item_id = _item(visitor)
    if not item_id or not visitor.parts.purchases.remove(visitor.visit.user_id, item_id):
        return _unknown(visitor)
    return await _done(visitor, "Removed from the cart", event("remove_from_cart", item_id))


async def order(visitor: Visitor) -> Response:
    """One event per line, each following the answer that its item was taken from."""
    purchases, visit = visitor.parts.purchases, visitor.visit
    ids = [line.item_id for line in purchases.cart(visit.user_id)]
    items = await visitor.parts.shelves.items(ids, visitor.deadline)
    prices = {item_id: item.price for item_id, item in items.items()}
    order_id, lines = purchases.order(visit.user_id, visitor.now, prices)
    if not lines:
        return RedirectResponse("/cart", 303)
    bound = visitor.parts.log_users.declaration.max_price
    events = []
    for line in lines:
        price = prices.get(line.item_id)
        value = None if price is None else round(min(price * line.quantity, bound), 2)
        more = {"quantity": line.quantity, "value": value, "request_id": line.request_id}
        events.append(event("order", line.item_id, None, **more | {"shown_position": line.shown_position}))
    await visitor.parts.reporter.report(visit, visitor.now, visitor.deadline, *events)
    return RedirectResponse(f"/orders?placed={order_id}", 303)


async def choose(visitor: Visitor) -> Response:
    ordering = ordering_of(visitor.form.get("ordering", ""))
    if ordering is None:
        return visitor.problem(422, "No such order", "Choose the ranker, popularity or the caller's order.")
    visitor.parts.visits.choose(visitor.visit, ordering)
    return RedirectResponse(own_path(visitor.form.get("then", "/")), 303)


def _item(visitor: Visitor) -> str:
    """The item of the form; empty where it is none."""
    item_id = visitor.form.get("item_id", "")
    return item_id if len(item_id) <= MAX_TEXT_LENGTH and "\0" not in item_id else ""


def _followed(visitor: Visitor) -> Any:
    return followed(visitor.form.get("from", ""), visitor.form.get("at", ""))


async def _done(visitor: Visitor, said: str, *events: dict[str, Any], **more: Any) -> Response:
    """``said``: read out by screen readers. ``stored``: whether the events are, or wait until they can be."""
    stored = True
    if events:
        stored = await visitor.parts.reporter.report(visitor.visit, visitor.now, visitor.deadline, *events)
    if not visitor.wants_json:
        return RedirectResponse(own_path(visitor.form.get("then", "/")), 303)
    cart_size = visitor.parts.purchases.cart_size(visitor.visit.user_id)
    return JSONResponse({"said": said, "stored": stored, "cart_size": cart_size, **more})


def _unknown(visitor: Visitor) -> Response:
    return visitor.problem(404, "No such item", "The shop does not have this item.")
