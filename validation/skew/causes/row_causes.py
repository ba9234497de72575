"""Causes why online reads another row than offline, although both are right: one class per cause.

``replacements``: the values that online then has, the most likely first; none if the cause does not hold. A cause
holds only if the known runs and accepted events prove it for every row that online missed. A row that online should
have had explains nothing.
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
    """No run whose range covers the row had started."""

    name = "not yet materialized"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return False
        return not any(run.started_us <= row.scored_us for run in known.covering(row.view.name, event_us))


class UnderWay:
    """A run that writes the row had started but not finished, or a live event was just being written.

    A run counts as finished after a delay, because the scorers' item caches evict old rows a little later.
    """

    name = "materialization under way"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        if row.is_future:
            return (MISSING,) if self._written_while_reading(row, known) else ()
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return row.scored_us - event_us <= known.max_delay_us
        return any(
            run.started_us <= row.scored_us and not run.had_finished(row.scored_us - known.max_delay_us)
            for run in known.covering(row.view.name, event_us)
        )

    @staticmethod
    def _written_while_reading(row: ReadRow, known: Knowledge) -> bool:
        """Whether the row, which is newer than the request, may have replaced an older one while the request read."""
        latest_us = row.scored_us + known.max_delay_us
        if known.is_pushed(row.view.name, row.key, row.read_us):
            return row.read_us <= latest_us
        runs = known.covering(row.view.name, row.read_us)
        return any(run.started_us <= latest_us and not run.had_finished(row.scored_us) for run in runs)


class LateData:
    """A run covered the row, but the row was not yet in the files that the run read."""

    name = "late data"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        return _older(row, known) if row.missed and self.holds(row, known, *row.missed[0]) else ()

    def holds(self, row: ReadRow, known: Knowledge, event_us: int, created_us: int) -> bool:
        if known.is_pushed(row.view.name, row.key, event_us):
            return False
        runs = [r for r in known.covering(row.view.name, event_us) if r.had_finished(row.scored_us)]
        return bool(runs) and all(run.had_not_seen(event_us, created_us) for run in runs)


class Correction:
    """The row was corrected at the same event timestamp, after the start of the last finished run."""

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
    """Two rows have the same event and created timestamp, so neither is newer."""

    name = "tie"

    def replacements(self, row: ReadRow, known: Knowledge) -> Sequence[Values]:
        if row.missed or not row.is_valid:
            return ()
        newest = [version for version in row.versions if version.created_us == row.versions[0].created_us]
        return [version.values for version in newest] if len(newest) > 1 else ()


EXCUSES = (NotYetMaterialized(), UnderWay(), LateData())
ROW_CAUSES: tuple[RowCause, ...] = (*EXCUSES, Correction(), Tie())


def _older(row: ReadRow, known: Knowledge) -> Sequence[Values]:
    """The older row, if a cause holds for every newer one."""
    seen = row.seen
    if seen is None or not all(any(cause.holds(row, known, *missed) for cause in EXCUSES) for missed in row.missed):
        return ()
    return (seen,)
