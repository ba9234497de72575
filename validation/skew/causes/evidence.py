"""The rows that online read, held against all the rows that the log gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_repo.live.score_records import ScoreRecord
from feature_repo.schema import ITEM_COMPANIONS, SESSION_STATE, View
from feature_repo.slate import Slate, view_row

Values = Mapping[str, Any]  # column -> value of one row; empty where there is no valid row
MISSING: Values = {}


@dataclass(frozen=True)
class Version:
    """One row of a feature table."""

    event_us: int
    created_us: int
    values: Values = field(repr=False)


@dataclass(frozen=True)
class ReadRow:
    """One row that online read of ``view``, for the candidate or cart item at ``position`` (0 for user and session).

    read_us:  its event timestamp, 0 where there was none
    missed:   (event_us, created_us) of the offline rows newer than it that were valid at ``scored_us``, newest first
    versions: the offline rows of that event timestamp, newest created first
    near:     where there are none: the offline rows next to it in time
    chosen:   the row that offline takes, valid or not; for companions only
    """

    view: View
    position: int
    key: str
    scored_us: int
    read_us: int
    missed: tuple[tuple[int, int], ...] = ()
    versions: tuple[Version, ...] = ()
    near: tuple[Version, ...] = ()
    chosen: Version | None = None

    @property
    def ttl_us(self) -> int:
        return round(self.view.ttl.total_seconds() * 1_000_000)

    @property
    def is_future(self) -> bool:
        return self.read_us > self.scored_us

    @property
    def is_expired(self) -> bool:
        return 0 < self.read_us < self.scored_us - self.ttl_us

    @property
    def is_valid(self) -> bool:
        """At the request's moment, by the rule of both sides."""
        return self.read_us > 0 and not self.is_future and not self.is_expired

    @property
    def matters(self) -> bool:
        """Whether it may be another row than the one that offline takes."""
        is_unknown = self.read_us > 0 and not self.versions
        return bool(self.missed) or len(self.versions) > 1 or self.is_future or self.is_expired or is_unknown

    @property
    def seen(self) -> Values | None:
        """What online makes of it; None where the log has no such row."""
        if not self.is_valid:
            return MISSING
        return self.versions[0].values if self.versions else None


@dataclass(frozen=True)
class Evidence:
    """Of one slate. ``rows``: those that matter of all views but companions; ``cart``: all of the companions."""

    rows: tuple[ReadRow, ...] = ()
    cart: tuple[ReadRow, ...] = ()


def cart_of(record: ScoreRecord, rows: Sequence[ReadRow], slate: Slate) -> list[str]:
    """The cart whose companions online read: that of the session's row as it was read, if need be as if it had not
    expired; the number of companions says which."""
    many = len(record.read_us.get(ITEM_COMPANIONS.name, ()))
    session = next((row for row in rows if row.view.name == SESSION_STATE.name), None)
    possible = [slate.session.get("cart_items", ())] if session is None else []
    if session is not None:
        possible += [view_row(SESSION_STATE, each.values).get("cart_items", ()) for each in session.versions]
    carts = [list(dict.fromkeys(cart)) for cart in possible]
    return next((cart for cart in carts if len(cart) == many), [])
