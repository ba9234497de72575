"""Causes why a value differs between online and offline: one class per cause.

A cause returns the matrices that it alone would produce. A difference is explained by the first cause with a matrix
that has the online value, bit for bit. ``is_skew``: serving and training disagree, so the difference counts against the
threshold although its cause is known. The other causes are data that online could not know, or values of the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from feature_repo.model_features import model_features
from feature_repo.slate import Floats, Slate
from validation.skew.causes.case import Case
from validation.skew.causes.evidence import MISSING, ReadRow, Values
from validation.skew.causes.row_causes import ROW_CAUSES, RowCause
from validation.skew.causes.slate_edits import with_stored_default, with_timestamps, without_store

MINUTE_US = 60_000_000
MAX_SHIFT_US = 14 * 60 * MINUTE_US  # time zones
DEFAULTS = (0.0, -1.0)
AGES = ("item", "user", "session")


class Cause(Protocol):
    name: str
    is_skew: bool

    def matrices(self, case: Case) -> Iterator[Floats]:
        """(n, f) each; the first one that has the online value explains it."""
        ...


class Overridden:
    """The request has the value."""

    name = "overridden"
    is_skew = False

    def matrices(self, case: Case) -> Iterator[Floats]:
        found = case.offline.copy()
        column = {feature.name: j for j, feature in enumerate(model_features(case.declaration))}
        for position, sent in case.record.sent:
            for name, value in sent.items():
                found[position, column[name]] = np.nan if value is None else value
        yield found


class Degraded:
    """The online store was unavailable or too slow, and the answer reported it."""

    name = "degraded"
    is_skew = False

    def matrices(self, case: Case) -> Iterator[Floats]:
        if case.record.degraded:
            yield case.matrix(without_store(case.slate, case.declaration))


class OtherRow:
    """Online read another row for a good reason: see :mod:`validation.skew.causes.row_causes`."""

    is_skew = False

    def __init__(self, cause: RowCause) -> None:
        self._cause = cause
        self.name = cause.name

    def matrices(self, case: Case) -> Iterator[Floats]:
        replaced = [(row, values) for cause, row, values in case.replaced if cause is self._cause]
        for choice in range(max((len(values) for _, values in replaced), default=0)):
            changes = [(row, values[min(choice, len(values) - 1)]) for row, values in replaced]
            yield case.matrix(case.with_rows(case.slate, changes))
        # A value that depends on several rows may have several causes; the last of them is reported.
        if replaced and self._is_last(case):
            yield case.matrix(case.seen)

    def _is_last(self, case: Case) -> bool:
        present = {cause.name for cause, _, _ in case.replaced}
        return len(present) > 1 and self.name == [cause.name for cause in ROW_CAUSES if cause.name in present][-1]


class Ttl:
    """Online used a row that had expired."""

    name = "ttl"
    is_skew = True

    def matrices(self, case: Case) -> Iterator[Floats]:
        rows = (*case.evidence.rows, *case.evidence.cart)
        changes = [(row, row.versions[0].values) for row in rows if row.is_expired and row.versions]
        if changes:
            valid = [(row, values) for row in case.evidence.cart if row.is_valid and (values := row.seen) is not None]
            yield case.matrix(case.with_rows(case.seen, [*valid, *changes]))


class ShiftedTimestamp:
    """The timestamps of rows, in values or of the request are shifted by a constant, as by a wrong time zone."""

    name = "shifted timestamp"
    is_skew = True

    def matrices(self, case: Case) -> Iterator[Floats]:
        changes = [(row, values) for row in case.evidence.rows if (values := self._shifted(row)) is not None]
        if changes:
            yield case.matrix(case.with_rows(case.seen, changes))
        shift_us = self._shift_us(case)
        if not shift_us:
            return
        for of in (*((entity,) for entity in AGES), AGES):
            yield case.matrix(with_timestamps(case.seen, lambda us: us - shift_us, of=of))
        yield case.matrix(replace(case.seen, scored_us=case.seen.scored_us + shift_us))

    @staticmethod
    def _shifted(row: ReadRow) -> Values | None:
        """The values of a row that online has with another timestamp, a whole number of minutes away."""
        for version in row.near:
            shift_us = row.read_us - version.event_us
            if abs(shift_us) <= MAX_SHIFT_US and shift_us % MINUTE_US == 0:
                return version.values if row.is_valid else MISSING
        return None

    @staticmethod
    def _shift_us(case: Case) -> int:
        """How much higher the ages are online, in whole minutes; from the lowest age, where float32 is most precise."""
        ages = [j for j, feature in enumerate(model_features(case.declaration)) if feature.name.endswith("age_s")]
        offline, online = case.matrix(case.seen)[:, ages].astype(np.float64), case.online[:, ages].astype(np.float64)
        shifted = np.where(np.isfinite(offline - online) & (offline != online), np.abs(offline), np.inf)
        if not shifted.size or not np.isfinite(shifted).any():
            return 0
        at = np.unravel_index(np.argmin(shifted), shifted.shape)
        shift_us = round((float(online[at]) - float(offline[at])) * 1e6 / MINUTE_US) * MINUTE_US
        return shift_us if abs(shift_us) <= MAX_SHIFT_US else 0


class Default:
    """Online used a number for an unknown or missing value."""

    name = "default"
    is_skew = True

    def matrices(self, case: Case) -> Iterator[Floats]:
        for slate in (case.slate, case.seen):
            for default in DEFAULTS:
                yield case.matrix(with_stored_default(slate, case.declaration, default))
                matrix = case.matrix(slate)
                yield np.where(np.isnan(matrix), np.float32(default), matrix)


class Dtype:
    """Online computed in float32, offline in float64."""

    name = "dtype"
    is_skew = True

    def matrices(self, case: Case) -> Iterator[Floats]:
        for slate in (case.slate, case.seen):
            narrow = with_timestamps(slate, lambda us: us.astype(np.float32).astype(np.float64), of=AGES)
            yield case.matrix(narrow)
            yield case.matrix(replace(narrow, scored_us=int(np.float32(slate.scored_us))))
            yield self._prices(case, slate)

    @staticmethod
    def _prices(case: Case, slate: Slate) -> Floats:
        found = case.matrix(slate).copy()
        names = [feature.name for feature in model_features(case.declaration)]
        price = slate.items["price"]
        known = price[~np.isnan(price)]
        if known.size:
            found[:, names.index("price_vs_slate")] = price / known.mean(dtype=np.float32)
        return found


UNKNOWN = "unknown"
CAUSES: tuple[Cause, ...] = (
    Overridden(),
    Degraded(),
    *(OtherRow(cause) for cause in ROW_CAUSES),
    Ttl(),
    Default(),
    Dtype(),
    ShiftedTimestamp(),  # last, because it can fit any shift
)
