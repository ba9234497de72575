"""A visit: who is looking at the shop, found by the signed id in a cookie.

The cookie holds only the id; what belongs to it is in the database, so that logging out ends it for every copy of the
cookie. A cookie whose signature is wrong, or whose visit has ended, is no visit.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from itsdangerous import BadSignature, URLSafeSerializer

from infra.clock import epoch_us
from serving.web.database import Database

COOKIE = "shop_visit"
LASTS = timedelta(hours=12)
KEY_BYTES = 32

Kind = Literal["nobody", "guest", "member", "log_user"]
Ordering = Literal["ranker", "popularity", "given"]
ORDERINGS: tuple[Ordering, ...] = get_args(Ordering)
OWN_PREFIXES = ("guest-", "member-")
"""Of the user ids that this shop gives; no visitor may act as one of them."""


@dataclass(frozen=True)
class Visit:
    """``token``: what each form of this visit must carry. ``session_id``: of its events and requests.

    ``kind`` nobody: not logged in; then ``user_id`` is empty. ``ordering``: who puts the lists in order.
    """

    visit_id: str
    token: str
    kind: Kind
    user_id: str
    session_id: str
    context: Mapping[str, str] = field(default_factory=dict)
    ordering: Ordering = "ranker"

    @property
    def is_known(self) -> bool:
        return self.kind != "nobody"

    @property
    def shown_name(self) -> str:
        if self.kind == "log_user":
            return f"shopper {self.user_id}"
        return "guest" if self.kind == "guest" else self.user_id.removeprefix("member-")


class Visits:
    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._serializer = URLSafeSerializer(signing_key(folder), salt="visit")

    def cookie(self, visit: Visit) -> str:
        return str(self._serializer.dumps(visit.visit_id))

    def find(self, cookie: str | None, now: datetime) -> Visit | None:
        """None without a cookie, for one that was not signed here, and for a visit that has ended."""
        if not cookie:
            return None
        try:
            visit_id = str(self._serializer.loads(cookie))
        except BadSignature:
            return None
        row = self._database.row(
            "SELECT visit_id, token, kind, user_id, session_id, context, ordering FROM visits "
            "WHERE visit_id = ? AND started_us > ?",
            visit_id, epoch_us(now - LASTS),
        )  # fmt: skip
        return None if row is None else _visit(row)

    def begin(
        self, now: datetime, kind: Kind = "nobody", user_id: str = "", context: Mapping[str, str] | None = None
    ) -> Visit:
        """A new visit with a new id and token, also for who was here already: a cookie known before a log-in is worth
        nothing after it."""
        session_id = f"web-{secrets.token_hex(8)}"
        if kind == "guest":
            user_id = f"guest-{secrets.token_hex(6)}"
        visit = Visit(secrets.token_hex(16), secrets.token_urlsafe(24), kind, user_id, session_id, dict(context or {}))
        self._database.write(
            "INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            visit.visit_id, visit.token, kind, user_id, session_id, json.dumps(visit.context), visit.ordering,
            epoch_us(now),
        )  # fmt: skip
        return visit

    def end(self, visit: Visit) -> None:
        self._database.write("DELETE FROM visits WHERE visit_id = ?", visit.visit_id)

    def choose(self, visit: Visit, ordering: Ordering) -> None:
        self._database.write("UPDATE visits SET ordering = ? WHERE visit_id = ?", ordering, visit.visit_id)

    def forget_ended(self, now: datetime) -> None:
        self._database.write("DELETE FROM visits WHERE started_us <= ?", epoch_us(now - LASTS))


def _visit(row: tuple[Any, ...]) -> Visit:
    visit_id, token, kind, user_id, session_id, context, ordering = row
    return Visit(visit_id, token, kind, user_id, session_id, json.loads(context), ordering)


def signing_key(folder: Path) -> bytes:
    """The key of this shop's cookies, made once; only the owner of the file can read it."""
    path = folder / "cookie.key"
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _stored_key(path)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    return _stored_key(path)


def _stored_key(path: Path) -> bytes:
    """Raises RuntimeError for a file that another worker has not finished, or that was damaged."""
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise RuntimeError(f"{path} has {len(key)} bytes, not {KEY_BYTES}: remove it, and all visitors log in again")
    return key
