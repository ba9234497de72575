"""The recommender in service: the champion of ``recommend-NAME`` with its sources."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from feature_repo.candidates.stage_two_features import recommend_contract
from feature_repo.candidates.union import Sources
from feature_repo.schema import Declaration
from infra.clock import Clock
from infra.models.model_contract import ModelContract
from infra.models.model_store import LoadedModel
from infra.settings import Settings
from serving.features.feature_readers import FeatureReaders
from serving.features.shared_readers import SharedReaders
from serving.metrics import Metrics
from serving.recommend.candidate_slates import CandidateSlates
from serving.recommend.exploration import NewItems
from serving.recommend.policy import Policy
from serving.recommend.recommender import Recommender
from serving.score.registered_model import Purpose, RegisteredModel
from serving.score.scorer import OnScored

SOURCES_FOLDER = "sources"  # in a version's artifact

RecommendModel: TypeAlias = RegisteredModel[Sources, Recommender]


def recommend_model(
    settings: Settings, policy: Policy, clock: Clock, metrics: Metrics, on_scored: OnScored, readers: SharedReaders
) -> RecommendModel:
    """To be followed by :class:`serving.score.champion.ChampionService`, whose ``readers`` it shares."""

    def serve(model: LoadedModel, sources: Sources, declaration: Declaration, found: FeatureReaders) -> Recommender:
        slates = CandidateSlates(sources, model.ranker.vocabulary, declaration, found, metrics)
        new_items = NewItems(found.client.first_seen_since, policy.explore)
        return Recommender(model, slates, policy, new_items, clock, metrics, on_scored)

    purpose = Purpose(
        name=settings.recommend_name,
        read=_read_sources,
        contract=_contract,
        serve=serve,
        in_service=lambda model: metrics.model(model.name, model.version, model.kind),
        refused=lambda is_refused: metrics.recommend_successor(is_refused=is_refused),
        is_optional=True,
    )
    return RegisteredModel(settings, purpose, readers)


def _read_sources(folder: Path) -> Sources:
    return Sources.load(folder / SOURCES_FOLDER)


def _contract(project: str, declaration: Declaration, sources: Sources) -> ModelContract:
    return recommend_contract(project, declaration, sources)
