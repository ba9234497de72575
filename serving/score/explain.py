"""Why a list has its order: what each feature adds to each score, and what separates two items.

The contributions are SHAP values, computed by LightGBM (:meth:`infra.models.ranker.LightGbmRanker.contributions`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from feature_repo.model_features import model_features
from feature_repo.schema import Feature
from feature_repo.slate import Floats
from infra.clock import timestamp_of, timestamp_text
from infra.models.arrays import Doubles
from infra.models.ranker import NotAdditive
from serving.errors import NotExplainable
from serving.score.answers import ExplainAnswer, ExplainedItem, ExplainedPair, Reason
from serving.score.ranking import best_first
from serving.score.score_parser import ScoreRequest
from serving.score.scorer import Scorer, new_request_id

REASONS_IN_WORDS = 5  # the others are summed


async def explain(
    scorer: Scorer, request: ScoreRequest, pair: tuple[str, str] | None, deadline: float
) -> ExplainAnswer:
    """As ``Scorer.score``, without recording. ``deadline`` limits the reading; explaining takes longer.

    Raises InvalidRequest, or NotExplainable for a baseline.
    """
    found = await scorer.inputs(request, deadline)
    ranker = scorer.model.ranker
    try:
        shares = await asyncio.to_thread(ranker.contributions, found.matrix)  # (n, f + 1)
    except NotAdditive as error:
        raise NotExplainable(str(error)) from None
    scores = ranker.score(found.matrix)
    features = model_features(scorer.declaration)
    order = best_first(scores).tolist()
    ids = request.item_ids
    items = [_item(ids[i], float(scores[i]), shares[i], found.matrix[i], features) for i in order]
    positions = None if pair is None else sorted((request.positions[each] for each in pair), key=order.index)
    return ExplainAnswer(
        request_id=new_request_id(),
        scored_at=timestamp_text(timestamp_of(found.scored_us)),
        model=scorer.model_name,
        base_score=float(shares[0, -1]),
        items=items,
        pair=None if positions is None else _pair(positions, ids, scores, shares, found.matrix, features),
        degraded=found.degraded,
        missing=found.missing,
    )


def _item(item_id: str, score: float, shares: Doubles, values: Floats, features: Sequence[Feature]) -> ExplainedItem:
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
        "values": dict(zip(contributions, values.tolist(), strict=True)),
    }


def _pair(
    positions: Sequence[int],
    ids: Sequence[str],
    scores: Doubles,
    shares: Doubles,
    matrix: Floats,
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
            "above": float(matrix[above, j]),
            "below": float(matrix[below, j]),
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


def _value(value: float | None) -> str:
    return "unknown" if value is None or np.isnan(value) else f"{value:.4g}"
