"""The results of an audit, counted per feature and cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from feature_repo.definitions.view import Feature
from validation.skew.comparison import EQUAL, NAMES, UNEXPLAINED, Comparison


@dataclass(frozen=True)
class Example:
    """One different value."""

    request_id: str
    item_id: str
    online: float
    offline: float


@dataclass
class FeatureFindings:
    """``causes``: name -> number of values. ``examples``: name -> first example."""

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
    """The findings of one audit. ``skipped``: number of sampled requests with another contract.

    ``of_feature``: name -> its findings. The sources of ``/recommend`` add features of their own.
    """

    dataset: str
    of_feature: dict[str, FeatureFindings]
    requests: int = 0
    skipped: int = 0
    first_us: int | None = None
    last_us: int | None = None

    @staticmethod
    def of(dataset: str, features: Sequence[Feature]) -> Findings:
        return Findings(dataset, {feature.name: FeatureFindings(feature) for feature in features})

    def add(self, comparison: Comparison) -> None:
        record, causes = comparison.record, comparison.causes
        self.requests += 1
        self.first_us = min(self.first_us or record.scored_us, record.scored_us)
        self.last_us = max(self.last_us or record.scored_us, record.scored_us)
        found = [self.of_feature.setdefault(each.name, FeatureFindings(each)) for each in comparison.features]
        for feature in found:
            feature.compared += len(record.item_ids)
        for j in np.flatnonzero((causes != EQUAL).any(axis=0)).tolist():
            self._add_column(found[j], comparison, j)

    @property
    def features(self) -> tuple[FeatureFindings, ...]:
        return tuple(self.of_feature.values())

    @property
    def compared(self) -> int:
        return sum(feature.compared for feature in self.features)

    @property
    def different(self) -> int:
        return sum(feature.different for feature in self.features)

    @property
    def unexplained(self) -> int:
        return sum(feature.unexplained for feature in self.features)

    @property
    def causes(self) -> Counter[str]:
        return sum((feature.causes for feature in self.features), Counter())

    @staticmethod
    def _add_column(found: FeatureFindings, comparison: Comparison, j: int) -> None:
        record, codes = comparison.record, comparison.causes[:, j]
        assert record.matrix is not None  # only records with a matrix are compared
        for code in np.unique(codes[codes != EQUAL]).tolist():
            rows = np.flatnonzero(codes == code)
            found.causes[NAMES[code]] += len(rows)
            i = int(rows[0])
            online, offline = float(record.matrix[i, j]), float(comparison.offline[i, j])
            found.examples.setdefault(NAMES[code], Example(record.request_id, record.item_ids[i], online, offline))
