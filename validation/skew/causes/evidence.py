"""The rows that were read online, compared with the rows of the feature tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feature_repo.definitions.view import View
from feature_repo.definitions.views import ITEM_COMPANIONS, SESSION_STATE
from feature_repo.live.score_records import ScoreRecord
from feature_repo.slate import Slate, view_row

Values = Mapping[str, Any]  # column -> value of one row; empty without a valid row
MISSING: Values = {}


@dataclass(frozen=True)
class Version:
    """One row of a feature table."""

    event_us: int
    created_us: int
    values: Values = field(repr=False)


@dataclass(frozen=True)
class ReadRow:
    """A row of ``view`` that was read online for the candidate or cart item at ``position`` (0 for user and session).

    read_us:  its event timestamp, 0 without a row
    missed:   (event_us, created_us) of the newer offline rows that were valid at ``scored_us``, newest first
    versions: the offline rows with this event timestamp, newest created first
    near:     without versions: the offline rows just before and after it
    chosen:   the row that offline takes, valid or not; only for companions
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
        """Whether it is valid at the time of the request, by the rule of online and offline."""
        return self.read_us > 0 and not self.is_future and not self.is_expired

    @property
    def matters(self) -> bool:
        """Whether offline may take another row."""
        is_unknown = self.read_us > 0 and not self.versions
        return bool(self.missed) or len(self.versions) > 1 or self.is_future or self.is_expired or is_unknown

    @property
    def seen(self) -> Values | None:
        """The values that online has from it; None if the feature tables do not have the row."""
        if not self.is_valid:
            return MISSING
        return self.versions[0].values if self.versions else None


@dataclass(frozen=True)
class Evidence:
    """The rows of one slate. ``rows``: those that matter, of all views except companions. ``cart``: all companions."""

    rows: tuple[ReadRow, ...] = ()
    cart: tuple[ReadRow, ...] = ()


def cart_of(record: ScoreRecord, rows: Sequence[ReadRow], slate: Slate) -> list[str]:
    """The cart whose companions were read online: of the versions of the session's row, even if expired, the first
    whose cart has as many items as companions were read."""
    count = len(record.read_us.get(ITEM_COMPANIONS.name, ()))
    session = next((row for row in rows if row.view.name == SESSION_STATE.name), None)
    possible = [slate.session.get("cart_items", ())] if session is None else []
    if session is not None:
        possible += [view_row(SESSION_STATE, version.values).get("cart_items", ()) for version in session.versions]
    carts = [list(dict.fromkeys(cart)) for cart in possible]
    return next((cart for cart in carts if len(cart) == count), [])
