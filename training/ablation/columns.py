"""Training data without some of its features."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from training.training_set.ranking_data import RankingData


def without_columns(data: RankingData, names: Collection[str]) -> RankingData:
    """Raises ValueError for a name that is not among the features."""
    unknown = sorted(set(names) - set(data.feature_names))
    if unknown:
        raise ValueError(f"the training set has no features {', '.join(unknown)}")
    kept = [j for j, name in enumerate(data.feature_names) if name not in names]
    left = tuple(data.feature_names[j] for j in kept)
    return replace(data, matrix=data.matrix[:, kept], feature_names=left, vocabulary=data.vocabulary.only(left))
