"""Why a recommendation has its order: as :mod:`serving.score.explain`, for the items of an answer of ``/recommend``."""

from __future__ import annotations

from feature_repo.candidates.stage_two_features import recommend_features
from serving.errors import InvalidRequest, Problem
from serving.recommend.recommend_parser import RecommendRequest
from serving.recommend.recommender import Recommender
from serving.score.answers import ExplainAnswer
from serving.score.explain import ScoredMatrix, explained


async def explain_recommended(
    recommender: Recommender, request: RecommendRequest, pair: tuple[str, str] | None, deadline: float
) -> ExplainAnswer:
    """The items as ``/recommend`` answers them, without exploration and without recording. ``pair``: any candidates.

    Raises InvalidRequest, or NotExplainable for a baseline.
    """
    done = await recommender.recommend(request, deadline, explore=False)
    made = done.made
    problems = [
        Problem(("pair", i), "not among the candidates")
        for i, each in enumerate(pair or ())
        if each not in made.slate.positions
    ]
    if problems:
        raise InvalidRequest(problems)
    features = recommend_features(recommender.declaration, recommender.slates.sources)
    items, of_pair, base = await explained(
        recommender.model.ranker,
        features,
        ScoredMatrix(made.slate.item_ids, made.slate.positions, made.matrix, done.scores),
        list(done.chosen),
        pair,
    )
    return ExplainAnswer(
        request_id=done.answer.request_id,
        scored_at=done.answer.scored_at,
        model=recommender.model_name,
        base_score=base,
        items=items,
        pair=of_pair,
        degraded=made.degraded,
        missing=made.reading.missing,
    )
