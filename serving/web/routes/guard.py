"""What every request of the marketplace passes: the host, the visit of its cookie, and the token of its form.

- The Host must be a loopback name: a page of another site that makes its own name point here is refused.
- A form must come from a page of this shop: by Origin and Sec-Fetch-Site where the browser sends them, and always by
  the visit's token. So no page elsewhere, and no other visitor's form, can act for this visitor.
- The clock is read once.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from infra.settings import LOOPBACK
from serving.errors import ServingError
from serving.metrics import SECONDS_BY_STAGE
from serving.web.parts import Parts
from serving.web.people.visits import COOKIE, LASTS, Visit
from serving.web.rendering import HEADERS

MAX_FORM_BYTES = 16_384
TOKEN_FIELD, TOKEN_HEADER = "token", "x-shop-token"


@dataclass
class Visitor:
    """One request. ``deadline``: by ``time.monotonic()``. ``form``: the fields of a POST, the last of each name."""

    parts: Parts
    request: Request
    visit: Visit
    now: datetime
    deadline: float
    form: Mapping[str, str]
    stages: dict[str, float]

    @property
    def wants_json(self) -> bool:
        return "application/json" in self.request.headers.get("accept", "")

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        return self.parts.renderer.page(template, {**self._everywhere(), **values}, status)

    def fragment(self, template: str, **values: Any) -> str:
        return self.parts.renderer.text(template, {**self._everywhere(), **values})

    def problem(self, status: int, title: str, message: str) -> Response:
        return self.page("problem.html", status, title=title, message=message)

    def _everywhere(self) -> dict[str, Any]:
        purchases, user = self.parts.purchases, self.visit.user_id
        path = self.request.url.path
        return {
            "visit": self.visit,
            "path": path,
            "here": f"{path}?{self.request.url.query}" if self.request.url.query else path,
            "cart_size": purchases.cart_size(user) if user else 0,
            "liked": set(purchases.likes(user)) if user else set(),
            "query": self.query("q") if path == "/search" else "",
            "stages": self.stages,
        }


Handler = Callable[[Visitor], Awaitable[Response]]


def route(parts: Parts, method: str, path: str, handler: Handler, *, open_to_all: bool = False) -> Route:
    """``open_to_all``: also for who is not logged in; the others are sent to the welcome page."""

    async def guarded(request: Request) -> Response:
        stages: dict[str, float] = {}
        SECONDS_BY_STAGE.set(stages)  # of this request alone: each has a context of its own
        now, deadline = parts.clock.now(), time.monotonic() + parts.settings.deadline_ms / 1000
        found = parts.visits.find(request.cookies.get(COOKIE), now)
        visit = found or parts.visits.begin(now)
        visitor = Visitor(parts, request, visit, now, deadline, {}, stages)
        response = await _answer(visitor, is_new=found is None)
        if found is None and COOKIE not in response.headers.get("set-cookie", ""):
            set_cookie(response, parts, visit)
        response.headers.update({name: value for name, value in HEADERS.items() if name not in response.headers})
        return response

    async def _answer(visitor: Visitor, *, is_new: bool) -> Response:
        request = visitor.request
        if _host(request) not in LOOPBACK:
            return visitor.problem(421, "Not here", "This shop is open on this machine only.")
        if request.method == "POST":
            refusal = await _read_form(visitor, is_new=is_new)
            if refusal:
                return visitor.problem(403, "Not accepted", refusal)
        if not open_to_all and not visitor.visit.is_known:
            return RedirectResponse(f"/welcome?then={quote(_then(request), safe='')}", 303)
        try:
            return await handler(visitor)
        except ServingError:
            return visitor.problem(503, "One moment", "The shop cannot answer this now. Please try again.")

    guarded.__name__ = handler.__name__
    return Route(path, guarded, methods=[method])


def set_cookie(response: Response, parts: Parts, visit: Visit) -> None:
    seconds = int(LASTS.total_seconds())
    response.set_cookie(COOKIE, parts.visits.cookie(visit), max_age=seconds, httponly=True, samesite="lax", path="/")


def own_path(text: str) -> str:
    """``text`` where it is a path of this shop, else the home page: no form sends a visitor elsewhere."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_own else "/"


async def _read_form(visitor: Visitor, *, is_new: bool) -> str:
    """Why the form is refused; empty: it is not."""
    request = visitor.request
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "This form was sent from another site."
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        return "This form was sent from another site."
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            return "This form is too large."
    try:
        visitor.form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return "This form cannot be read."
    token = visitor.form.get(TOKEN_FIELD) or request.headers.get(TOKEN_HEADER, "")
    if is_new or not hmac.compare_digest(token.encode(), visitor.visit.token.encode()):
        return "This form does not belong to your visit, which may have ended. Go back, reload the page, and try again."
    return ""


def _host(request: Request) -> str:
    """The name that the browser asked, without the port."""
    return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""


def _then(request: Request) -> str:
    if request.method != "GET":
        return "/"
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
