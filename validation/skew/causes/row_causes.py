"""Why online read another row than offline takes, although both are right: one class per cause.

``replacements``: what online then makes of the row, the likeliest first; none where the cause does not hold. A cause
holds only if what is known of the runs and of the accepted events shows it for every row that online missed: a row
that should have been there explains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from validation.skew.causes.evidence import MISSING, ReadRow, Values
from validation.skew.causes.knowledge import Knowledge


class RowCause(Protocol):
    name: str

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]: ...


class NotYetMaterialized:
    """No run that reached so far had begun."""

    name = "not yet materialized"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return False
        return not any(run.started_us <= row.scored_us for run in known.covering(row.view.name, event_us))


class UnderWay:
    """A run that writes the row had begun and not finished, or the live event was just being written.

    A run counts as finished a little later than it was: its news is still on its way to the scorers' item caches.
    """

    name = "materialization under way"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        if row.is_future:
            return (MISSING,) if self._came_while_reading(row, known) else ()
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return row.scored_us - event_us <= known.patience_us
        return any(
            run.started_us <= row.scored_us and not run.had_finished(row.scored_us - known.patience_us)
            for run in known.covering(row.view.name, event_us)
        )

    @staticmethod
    def _came_while_reading(row: ReadRow, known: Knowledge) -> bool:
        """Whether the row of the request's future took the place of an older one after the request's moment."""
        latest_us = row.scored_us + known.patience_us
        if known.is_pushed(row.view.name, row.key, row.read_us):
            return row.read_us <= latest_us
        runs = known.covering(row.view.name, row.read_us)
        return any(run.started_us <= latest_us and not run.had_finished(row.scored_us) for run in runs)


class LateData:
    """The row was not in the files yet when a run read them that would have written it."""

    name = "late data"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return False
        runs = [r for r in known.covering(row.view.name, event_us) if r.had_finished(row.scored_us)]
        return bool(runs) and all(run.had_not_seen(event_us, created_us) for run in runs)


class Correction:
    """The row was corrected at its own event timestamp, after the last run that could have known."""

    name = "correction"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        if row.missed or not row.is_valid or len({version.created_us for version in row.versions}) < 2:
            return ()
        runs = [r for r in known.covering(row.view.name, row.read_us) if r.had_finished(row.scored_us)]
        latest = max((run.started_us for run in runs), default=None)
        if latest is None or latest >= row.versions[0].created_us:
            return ()
        return [version.values for version in row.versions[1:] if version.created_us <= latest]


class Tie:
    """Two rows of one event and one created timestamp: neither is the newer."""

    name = "tie"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        if row.missed or not row.is_valid:
            return ()
        newest = [each for each in row.versions if each.created_us == row.versions[0].created_us]
        return [each.values for each in newest] if len(newest) > 1 else ()


EXCUSES = (NotYetMaterialized(), UnderWay(), LateData())
ROW_CAUSES: tuple[RowCause, ...] = (*EXCUSES, Correction(), Tie())


def _older(row: ReadRow, known: Knowledge) -> Sequence[Values]:
    """The older row, if every newer one is excused."""
    seen = row.seen
    if seen is None or not all(any(each.holds(row, known, *missed) for each in EXCUSES) for missed in row.missed):
        return ()
    return (seen,)
