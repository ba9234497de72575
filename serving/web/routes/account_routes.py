"""Coming and going: the welcome page, logging in as a user of the log, as oneself or as a guest, and logging out."""

from __future__ import annotations

from anyio.to_thread import run_sync
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from infra.limits import MAX_TEXT_LENGTH
from serving.web.parts import Parts
from serving.web.people.accounts import AccountRefused, TooManyAttempts
from serving.web.people.visits import OWN_PREFIXES, Kind
from serving.web.routes.guard import Visitor, own_path, route, set_cookie


def account_routes(parts: Parts) -> list[Route]:
    return [
        route(parts, "GET", "/welcome", welcome, open_to_all=True),
        route(parts, "POST", "/act-as", act_as, open_to_all=True),
        route(parts, "POST", "/guest", guest, open_to_all=True),
        route(parts, "POST", "/register", register, open_to_all=True),
        route(parts, "POST", "/log-in", log_in, open_to_all=True),
        route(parts, "POST", "/log-out", log_out, open_to_all=True),
    ]


async def welcome(visitor: Visitor) -> Response:
    return await _welcome(visitor)


async def act_as(visitor: Visitor) -> Response:
    user_id = visitor.form.get("user_id", "").strip()
    log_users = visitor.parts.log_users
    is_possible = 1 <= len(user_id) <= MAX_TEXT_LENGTH and not user_id.startswith(OWN_PREFIXES)
    if not is_possible or not await run_sync(log_users.knows, user_id):
        return await _welcome(visitor, 404, user_problem="The log has no orders, views or clicks of this shopper.")
    return await _begin(visitor, "log_user", user_id, await run_sync(log_users.context, user_id))


async def guest(visitor: Visitor) -> Response:
    return await _begin(visitor, "guest", "")


async def register(visitor: Visitor) -> Response:
    name, password = visitor.form.get("name", ""), visitor.form.get("password", "")
    try:
        user_id = await run_sync(visitor.parts.accounts.register, name, password, visitor.now)
    except AccountRefused as error:
        return await _welcome(visitor, 422, register_problem=str(error), name=name)
    return await _begin(visitor, "member", user_id)


async def log_in(visitor: Visitor) -> Response:
    name, password = visitor.form.get("name", ""), visitor.form.get("password", "")
    address = visitor.request.client.host if visitor.request.client else "unknown"
    try:
        user_id = await run_sync(visitor.parts.accounts.log_in, name, password, address, visitor.now)
    except TooManyAttempts as error:
        response = await _welcome(visitor, 429, login_problem=str(error), name=name)
        response.headers["retry-after"] = str(error.wait_s)
        return response
    except AccountRefused as error:
        return await _welcome(visitor, 401, login_problem=str(error), name=name)
    return await _begin(visitor, "member", user_id)


async def log_out(visitor: Visitor) -> Response:
    visitor.parts.visits.end(visitor.visit)
    response = RedirectResponse("/welcome", 303)
    set_cookie(response, visitor.parts, visitor.parts.visits.begin(visitor.now))
    return response


async def _begin(visitor: Visitor, kind: Kind, user_id: str, context: dict[str, str] | None = None) -> Response:
    """The visit so far ends, and another begins."""
    visits = visitor.parts.visits
    visits.end(visitor.visit)
    response = RedirectResponse(own_path(visitor.form.get("then", "/")), 303)
    set_cookie(response, visitor.parts, visits.begin(visitor.now, kind, user_id, context))
    return response


async def _welcome(visitor: Visitor, status: int = 200, **problems: str) -> Response:
    shelves = visitor.parts.shelves
    values = {"user_problem": "", "register_problem": "", "login_problem": "", "name": ""} | problems
    return visitor.page(
        "welcome.html",
        status,
        users=await run_sync(visitor.parts.log_users.shown),
        then=own_path(visitor.form.get("then", visitor.query("then", "/"))),
        sample=[shelves.catalogue.item(each) for each in shelves.catalogue.popular(6)],
        catalogue_problem=shelves.catalogue.problem,
        **values,
    )
