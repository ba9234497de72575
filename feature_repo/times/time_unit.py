"""Names the unit in which timestamps were probably written, where they were read in another.

A timestamp of this century that is read in a unit too small is in 1970, and one that is read in a unit too large is
far in the future. A factor explains them if it brings their median from outside of PLAUSIBLE_FROM … now into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.limits import LATEST

PLAUSIBLE_FROM = datetime(2000, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Misreading:
    """Timestamps that must be multiplied by ``factor``. ``text``: what probably happened, as a noun phrase."""

    factor: float
    text: str


MISREADINGS = (
    Misreading(1e3, "milliseconds read as microseconds, or seconds read as milliseconds"),
    Misreading(1e6, "seconds read as microseconds"),
    Misreading(1e9, "seconds read as nanoseconds"),
    Misreading(86_400e6, "days since 1970 read as microseconds"),
    Misreading(1e-3, "microseconds read as milliseconds, or milliseconds read as seconds"),
    Misreading(1e-6, "microseconds read as seconds"),
)


def misreading(median_us: int, now: datetime) -> Misreading | None:
    """``median_us``: of the timestamps, µs since 1970. None if they are plausible, or no factor explains them."""
    if _plausible(median_us, now):
        return None
    return next((each for each in MISREADINGS if _plausible(median_us * each.factor, now)), None)


def unit_hint(us: int | None) -> str:
    """What to add to the refusal of a timestamp (µs since 1970; None if it is null); empty if no unit explains it."""
    found = None if us is None else misreading(us, LATEST)
    return f"; probably {found.text}, and it would be of {meant(us or 0, found):%Y-%m-%d}" if found else ""


def unit_hint_sql(us: str) -> str:
    """SQL of :func:`unit_hint` for SQL of µs since 1970 that is not null."""
    cases = [f"WHEN {_plausible_sql(us)} THEN ''"]
    for each in MISREADINGS:
        meant = f"({us}) * {each.factor!r}"
        day = f"strftime(make_timestamp(({meant})::BIGINT), '%Y-%m-%d')"
        cases.append(f"WHEN {_plausible_sql(meant)} THEN '; probably {each.text}, and it would be of ' || {day}")
    return f"CASE {' '.join(cases)} ELSE '' END"


def _plausible_sql(us: str) -> str:
    first, last = PLAUSIBLE_FROM.timestamp() * 1e6, (LATEST + AHEAD).timestamp() * 1e6
    return f"({us}) BETWEEN {first!r} AND {last!r}"


def meant(median_us: int, found: Misreading) -> datetime:
    """The median as it was probably written."""
    return EPOCH + timedelta(microseconds=median_us * found.factor)


def _plausible(us: float, now: datetime) -> bool:
    seconds = us / 1e6
    return PLAUSIBLE_FROM.timestamp() <= seconds <= (now + AHEAD).timestamp()
