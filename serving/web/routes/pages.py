"""The pages that are looked at."""

from __future__ import annotations

from anyio.to_thread import run_sync
from starlette.responses import Response
from starlette.routing import Route

from infra.limits import MAX_TEXT_LENGTH
from serving.web.events import Followed, event
from serving.web.goods.catalogue import Category
from serving.web.parts import Parts
from serving.web.routes.guard import Visitor, route
from serving.web.routes.lists import FOR_YOU, ordering_of, shelf, shown

HOME_ITEMS, LIST_ITEMS, STRIP_ITEMS, SIMILAR_ITEMS, PAGE_ITEMS, COMPARED_ITEMS = 24, 40, 8, 8, 50, 12
HOME_CATEGORIES = 12
MAX_QUERY = 100


def page_routes(parts: Parts) -> list[Route]:
    return [
        route(parts, "GET", "/", home),
        route(parts, "GET", "/categories", categories),
        route(parts, "GET", "/category/{category_id:path}", category),
        route(parts, "GET", "/search", search),
        route(parts, "GET", "/product/{item_id:path}", product),
        route(parts, "GET", "/cart", cart),
        route(parts, "GET", "/orders", orders),
        route(parts, "GET", "/likes", likes),
        route(parts, "GET", "/recommendations", recommendations),
        route(parts, "GET", "/compare", compare),
    ]


async def home(visitor: Visitor) -> Response:
    found = await shelf(visitor, FOR_YOU, HOME_ITEMS)
    catalogue = visitor.parts.shelves.catalogue
    return visitor.page(
        "home.html",
        shelf=found,
        categories=[(each, catalogue.item(catalogue.of_category(each.category_id, 1)[0])) for each in _first(visitor)],
        catalogue_problem=catalogue.problem,
    )


async def categories(visitor: Visitor) -> Response:
    catalogue = visitor.parts.shelves.catalogue
    by_name = sorted(catalogue.categories, key=lambda each: each.name.casefold())
    return visitor.page("categories.html", categories=by_name)


async def category(visitor: Visitor) -> Response:
    category_id = visitor.request.path_params["category_id"]
    found = visitor.parts.shelves.catalogue.category(category_id)
    if found is None:
        return visitor.problem(404, "No such aisle", "The shop has no category of this name.")
    await _report(visitor, event("visit_category"))
    many = shown(visitor.query("shown"), LIST_ITEMS)
    name = f"category:{category_id}"
    return visitor.page(
        "list.html",
        title=found.name,
        many=found.many,
        name=name,
        shelf=await shelf(visitor, name, many),
        strip=await shelf(visitor, FOR_YOU, STRIP_ITEMS),
    )


async def search(visitor: Visitor) -> Response:
    query = visitor.query("q").strip()[:MAX_QUERY]
    name = f"search:{query}"
    if query:
        await _report(visitor, event("search"))
    found = await shelf(visitor, name, shown(visitor.query("shown"), LIST_ITEMS))
    return visitor.page(
        "list.html",
        title=f"“{query}”" if query else "Search",
        many=found.candidates,
        name=name,
        shelf=found,
        strip=await shelf(visitor, FOR_YOU, STRIP_ITEMS),
    )


async def product(visitor: Visitor) -> Response:
    item_id = visitor.request.path_params["item_id"]
    shelves = visitor.parts.shelves
    item = (await shelves.items([item_id], visitor.deadline))[item_id] if _is_id(item_id) else None
    if item is None or (item.category_id is None and item.price is None and shelves.catalogue.get(item_id) is None):
        return visitor.problem(404, "No such item", "The shop does not have this item.")
    seen = followed(visitor.query("from"), visitor.query("at"))
    await _report(visitor, event("view", item_id, seen))
    alike = await shelves.similar(item_id, SIMILAR_ITEMS, visitor.deadline)
    strip = await shelf(visitor, FOR_YOU, STRIP_ITEMS)
    return visitor.page("product.html", item=item, seen=seen, shelf=alike, strip=strip)


async def cart(visitor: Visitor) -> Response:
    lines = visitor.parts.purchases.cart(visitor.visit.user_id)
    items = await visitor.parts.shelves.items([line.item_id for line in lines], visitor.deadline)
    total = sum(line.quantity * (items[line.item_id].price or 0.0) for line in lines)
    return visitor.page(
        "cart.html", lines=lines, items=items, total=total, strip=await shelf(visitor, FOR_YOU, STRIP_ITEMS)
    )


async def orders(visitor: Visitor) -> Response:
    """Those of this shop, and for a user of the log the baskets of the log."""
    visit, parts = visitor.visit, visitor.parts
    own = parts.purchases.orders(visit.user_id)
    past = await run_sync(parts.log_users.orders, visit.user_id) if visit.kind == "log_user" else []
    ids = {line.item_id for order in own for line in order.lines} | {each for order in past for each in order.item_ids}
    items = {each: parts.shelves.catalogue.item(each) for each in ids}
    return visitor.page("orders.html", orders=own, past=past, items=items, placed=visitor.query("placed"))


async def likes(visitor: Visitor) -> Response:
    liked = visitor.parts.purchases.likes(visitor.visit.user_id)
    items = await visitor.parts.shelves.items(liked, visitor.deadline)
    return visitor.page("likes.html", items=list(items.values()))


async def recommendations(visitor: Visitor) -> Response:
    return visitor.page("recommendations.html", shelf=await shelf(visitor, FOR_YOU, PAGE_ITEMS, "ranker"))


async def compare(visitor: Visitor) -> Response:
    """The same list twice, in the orders of two models."""
    left = ordering_of(visitor.query("left")) or "ranker"
    right = ordering_of(visitor.query("right")) or "popularity"
    name = visitor.query("list", FOR_YOU)
    catalogue = visitor.parts.shelves.catalogue
    category_id = name.partition(":")[2]
    if name != FOR_YOU and catalogue.category(category_id) is None:
        name = FOR_YOU
    sides = [await shelf(visitor, name, COMPARED_ITEMS, ordering) for ordering in (left, right)]
    ranks = [{placed.item.item_id: rank for rank, placed in enumerate(side.placed, 1)} for side in sides]
    return visitor.page(
        "compare.html",
        name=name,
        sides=list(zip(sides, ranks[::-1], strict=True)),
        left=left,
        right=right,
        categories=_first(visitor),
        both=len(ranks[0].keys() & ranks[1].keys()),
    )


def followed(request_id: str, position: str) -> Followed:
    """As a page wrote it into a link or a form; what is not of the form is left out."""
    is_id = len(request_id) == 32 and all(letter in "0123456789abcdef" for letter in request_id)
    is_position = position.isascii() and position.isdecimal() and len(position) < 5
    return Followed(request_id if is_id else None, int(position) if is_id and is_position else None)


def _first(visitor: Visitor) -> list[Category]:
    return list(visitor.parts.shelves.catalogue.categories[:HOME_CATEGORIES])


def _is_id(text: str) -> bool:
    return 1 <= len(text) <= MAX_TEXT_LENGTH and "\0" not in text


async def _report(visitor: Visitor, *events: dict[str, object]) -> None:
    await visitor.parts.reporter.report(visitor.visit, visitor.now, visitor.deadline, *events)
