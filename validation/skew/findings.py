"""What became of all values of an audit, feature by feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from feature_repo.schema import Feature
from validation.skew.comparison import EQUAL, NAMES, UNEXPLAINED, Verdict


@dataclass(frozen=True)
class Example:
    """One value that differs."""

    request_id: str
    item_id: str
    online: float
    offline: float


@dataclass
class FeatureFindings:
    """``causes``: name -> how many values; ``examples``: the first of each cause."""

    feature: Feature
    compared: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Example] = field(default_factory=dict)

    @property
    def different(self) -> int:
        return self.causes.total()

    @property
    def equal(self) -> int:
        return self.compared - self.different

    @property
    def unexplained(self) -> int:
        return sum(count for name, count in self.causes.items() if name in UNEXPLAINED)


@dataclass
class Findings:
    """Of one audit. ``skipped``: sampled requests of another contract, which cannot be compared."""

    dataset: str
    features: tuple[FeatureFindings, ...]
    requests: int = 0
    skipped: int = 0
    first_us: int | None = None
    last_us: int | None = None

    @staticmethod
    def of(dataset: str, features: Sequence[Feature]) -> Findings:
        return Findings(dataset, tuple(FeatureFindings(feature) for feature in features))

    def add(self, verdict: Verdict) -> None:
        record, causes = verdict.record, verdict.causes
        self.requests += 1
        self.first_us = min(self.first_us or record.scored_us, record.scored_us)
        self.last_us = max(self.last_us or record.scored_us, record.scored_us)
        for each in self.features:
            each.compared += len(record.item_ids)
        for j in np.flatnonzero((causes != EQUAL).any(axis=0)).tolist():
            self._add_column(self.features[j], verdict, j)

    @property
    def compared(self) -> int:
        return sum(each.compared for each in self.features)

    @property
    def different(self) -> int:
        return sum(each.different for each in self.features)

    @property
    def unexplained(self) -> int:
        return sum(each.unexplained for each in self.features)

    @property
    def causes(self) -> Counter[str]:
        return sum((each.causes for each in self.features), Counter())

    @staticmethod
    def _add_column(found: FeatureFindings, verdict: Verdict, j: int) -> None:
        record = verdict.record
        assert record.matrix is not None  # only such records are compared
        codes, rows = np.unique(verdict.causes[:, j], return_inverse=True)
        for position, code in enumerate(codes.tolist()):
            if code == EQUAL:
                continue
            where = np.flatnonzero(rows == position)
            found.causes[NAMES[code]] += len(where)
            i = int(where[0])
            online, offline = float(record.matrix[i, j]), float(verdict.offline[i, j])
            found.examples.setdefault(NAMES[code], Example(record.request_id, record.item_ids[i], online, offline))
