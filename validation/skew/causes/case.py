"""A served slate that differs from the log, with all that is known about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import ScoreRecord
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from validation.skew.causes.evidence import Evidence, ReadRow, Values
from validation.skew.causes.knowledge import Knowledge
from validation.skew.causes.row_causes import ROW_CAUSES, RowCause
from validation.skew.causes.slate_edits import Changes, with_rows, without_store

MatrixOf = Callable[[Slate], Floats]
"""(n, f) of a slate, as the model that scored it reads it."""


@dataclass(frozen=True)
class Case:
    """``slate``: the offline slate. ``offline``: (n, f) its matrix, by ``matrix_of``, whose columns are ``features``.

    The features of the ranker come first; ``declaration``: theirs.
    """

    record: ScoreRecord
    slate: Slate
    offline: Floats
    declaration: Declaration
    evidence: Evidence
    known: Knowledge
    features: Sequence[Feature]
    matrix_of: MatrixOf

    @property
    def online(self) -> Floats:
        assert self.record.matrix is not None  # only records with a matrix are compared
        return self.record.matrix

    def matrix(self, slate: Slate) -> Floats:
        return self.matrix_of(slate)

    def with_rows(self, slate: Slate, changes: Changes) -> Slate:
        return with_rows(slate, changes, self.evidence)

    @cached_property
    def replaced(self) -> list[tuple[RowCause, ReadRow, list[Values]]]:
        """The rows for which online read another row, each with the first cause that holds and its replacements."""
        found = []
        for row in (*self.evidence.rows, *(row for row in self.evidence.cart if row.matters)):
            for cause in ROW_CAUSES:
                values = list(cause.replacements(row, self.known))
                if values:
                    found.append((cause, row, values))
                    break
        return found

    @cached_property
    def seen(self) -> Slate:
        """The slate with the rows as they were read online, where a cause holds."""
        return self.with_rows(self.slate, [(row, values[0]) for _, row, values in self.replaced])

    @property
    def as_read(self) -> Slate:
        """The slate with all rows as they were read online, for any reason."""
        if self.record.degraded:
            return without_store(self.slate, self.declaration)
        rows = [row for row in (*self.evidence.rows, *self.evidence.cart) if row.matters]
        return self.with_rows(self.slate, [(row, values) for row in rows if (values := row.seen) is not None])
