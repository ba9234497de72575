"""Why a list has its order: what each feature adds to each score, and what separates two items.

The contributions are SHAP values, computed by LightGBM (:meth:`infra.models.ranker.LightGbmRanker.contributions`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from feature_repo.definitions.view import Feature
from feature_repo.model_features import model_features
from feature_repo.slate import Floats
from infra.clock import timestamp_of, timestamp_text
from infra.models.arrays import Doubles
from infra.models.model_contract import CATEGORY
from infra.models.ranker import NotAdditive, Ranker
from infra.models.vocabulary import Vocabulary
from serving.errors import NotExplainable
from serving.score.answers import ExplainAnswer, ExplainedItem, ExplainedPair, FeatureValue, Reason
from serving.score.ranking import best_first
from serving.score.score_parser import ScoreRequest
from serving.score.scorer import Scorer, new_request_id

REASONS_IN_WORDS = 5  # the others are summed


@dataclass(frozen=True)
class ScoredMatrix:
    """A slate as it was scored: (n, f) ``matrix``, (n,) ``scores``; ``positions``: id -> its position."""

    item_ids: Sequence[str]
    positions: Mapping[str, int]
    matrix: Floats
    scores: Doubles


async def explain(
    scorer: Scorer, request: ScoreRequest, pair: tuple[str, str] | None, deadline: float
) -> ExplainAnswer:
    """As ``Scorer.score``, without recording. ``deadline`` limits the reading; explaining takes longer.

    Raises InvalidRequest, or NotExplainable for a baseline.
    """
    found = await scorer.inputs(request, deadline)
    ranker = scorer.model.ranker
    slate = ScoredMatrix(request.item_ids, request.positions, found.matrix, ranker.score(found.matrix))
    order = best_first(slate.scores).tolist()
    items, of_pair, base = await explained(ranker, model_features(scorer.declaration), slate, order, pair)
    return ExplainAnswer(
        request_id=new_request_id(),
        scored_at=timestamp_text(timestamp_of(found.scored_us)),
        model=scorer.model_name,
        base_score=base,
        items=items,
        pair=of_pair,
        degraded=found.degraded,
        missing=found.missing,
    )


async def explained(
    ranker: Ranker,
    features: Sequence[Feature],
    slate: ScoredMatrix,
    order: Sequence[int],
    pair: tuple[str, str] | None,
) -> tuple[list[ExplainedItem], ExplainedPair | None, float]:
    """The candidates at the positions ``order``, the pair, and the base score, which is 0 without candidates.

    Raises NotExplainable for a baseline.
    """
    ids, matrix, scores = slate.item_ids, slate.matrix, slate.scores
    try:
        if not len(matrix):
            return [], None, 0.0
        shares = await asyncio.to_thread(ranker.contributions, matrix)  # (n, f + 1)
    except NotAdditive as error:
        raise NotExplainable(str(error)) from None
    values = [_values(row, features, ranker.vocabulary) for row in matrix]
    items = [_item(ids[i], float(scores[i]), shares[i], values[i], features) for i in order]
    base = float(shares[0, -1])
    if pair is None:
        return items, None, base
    # The higher score first; equal scores in the caller's order.
    above, below = sorted((slate.positions[each] for each in pair), key=lambda i: (-scores[i], i))
    return items, _pair((above, below), ids, scores, shares, values, features), base


def _values(row: Floats, features: Sequence[Feature], vocabulary: Vocabulary) -> list[FeatureValue]:
    """(f,): numbers, and the texts of categories."""
    return [
        vocabulary.text(feature.name, value) if feature.dtype == CATEGORY else value
        for feature, value in zip(features, row.tolist(), strict=True)
    ]


def _item(
    item_id: str, score: float, shares: Doubles, values: Sequence[FeatureValue], features: Sequence[Feature]
) -> ExplainedItem:
    by_source: dict[str, float] = {}
    # The last share is the base score.
    contributions = dict(zip([feature.name for feature in features], shares[:-1].tolist(), strict=True))
    for feature in features:
        by_source[feature.source] = by_source.get(feature.source, 0.0) + contributions[feature.name]
    return {
        "item_id": item_id,
        "score": score,
        "by_source": by_source,
        "contributions": contributions,
        "values": dict(zip(contributions, values, strict=True)),
    }


def _pair(
    positions: Sequence[int],
    ids: Sequence[str],
    scores: Doubles,
    shares: Doubles,
    values: Sequence[Sequence[FeatureValue]],
    features: Sequence[Feature],
) -> ExplainedPair:
    above, below = positions
    differences = shares[above, :-1] - shares[below, :-1]
    reasons: list[Reason] = [
        {
            "feature": features[j].name,
            "source": features[j].source,
            "description": features[j].description,
            "unit": features[j].unit,
            "above": values[above][j],
            "below": values[below][j],
            "difference": float(differences[j]),
        }
        for j in np.argsort(-np.abs(differences), kind="stable").tolist()
    ]
    difference = float(scores[above] - scores[below])
    return ExplainedPair(
        ids[above], ids[below], difference, in_words(ids[above], ids[below], difference, reasons), reasons
    )


def in_words(above: str, below: str, difference: float, reasons: Sequence[Reason]) -> str:
    """One sentence; the reasons are ordered, the largest first."""
    if difference == 0:
        return f"{above} and {below} have the same score; {above} comes first in the caller's order."
    main, rest = reasons[:REASONS_IN_WORDS], reasons[REASONS_IN_WORDS:]
    parts = [
        f"{each['feature']} {_value(each['above'])} against {_value(each['below'])} ({each['difference']:+.3g})"
        for each in main
        if each["difference"] != 0
    ]
    others = sum(each["difference"] for each in rest)
    return f"{above} ranks above {below} by {difference:.3g}: {'; '.join(parts)}; all other features {others:+.3g}."


def _value(value: FeatureValue) -> str:
    if isinstance(value, str):
        return value
    return "unknown" if value is None or np.isnan(value) else f"{value:.4g}"
