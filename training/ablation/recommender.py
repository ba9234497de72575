"""The recommender without each feature family and each source's candidates: recall@25 on its validation windows.

All models share one training set, in which every candidate of every source is (:mod:`training.tune.wide_set`). It has
no test windows, and its sources know nothing of their time. A model without a source has the candidates that the other
sources list, and neither the score nor the rank of that source (:mod:`training.tune.narrowed`). A list that loses
all its candidates counts as missed.

The sequence model's source is judged also where the data set's parameters switch it off, if there is an export that it
can read: then the model gets it in addition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from feature_repo.candidates.union import source_features
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.settings import Settings
from training.ablation.columns import without_columns
from training.ablation.experiment import FEATURES, SEQUENCE, SOURCE, Arm, Experiment, Splits
from training.ablation.families import FACTS, SOURCES, feature_families
from training.ranker.lambdamart import recall_at_25
from training.training_set.ranking_data import RankingData
from training.tune.narrowed import narrowed
from training.tune.space import with_values
from training.tune.wide_set import ready_set, widened

MODEL, METRIC = "recommender", "recall@25"
NEXT_ITEM = "next_item"
FOLDER = "set"


@dataclass(frozen=True)
class _WideData:
    """``sources``: of the set, in the union's order. ``sizes``: what the full model takes of each."""

    train: RankingData
    validation: RankingData
    sources: Sequence[str]
    sizes: Mapping[str, int]
    limit: int

    def splits(self, sizes: Mapping[str, int], columns: Sequence[str] = ()) -> Splits:
        """Without ``columns``, and without those of sources that list nothing."""
        silent = [feature.name for feature in source_features([name for name in self.sources if not sizes[name]])]
        left_out = {*columns, *silent}
        train = narrowed(self.train, self.sources, sizes, self.limit, positive_only=True).data
        train = without_columns(train, left_out)
        found = narrowed(self.validation, self.sources, sizes, self.limit)
        return Splits(train, without_columns(found.data, left_out), found.lists)


def recommender_experiment(
    settings: Settings, params: Mapping[str, Any], until: datetime, folder: str, next_item_size: int = 0
) -> Experiment:
    """``params``: the section ``recommend``. ``folder``: below the training folder, for the
    set. ``next_item_size``: candidates of the sequence model's source where ``params`` switch it off.

    Raises as :func:`training.stage_two.training_set.write_training_set`.
    """
    configured = {name: int(each["candidates"]) for name, each in params["sources"].items()}
    wanted = params
    if NEXT_ITEM in configured and not configured[NEXT_ITEM]:
        wanted = with_values(params, {f"sources.{NEXT_ITEM}.candidates": next_item_size})
    wide = ready_set(settings, widened(wanted, 1.0), until, settings.training_dir / folder / FOLDER)
    data = {name: replace(split, click_through=None) for name, split in wide.read().items()}
    sizes = {name: configured[name] for name in wide.sources}
    found = _WideData(data["train"], data["validation"], wide.sources, sizes, int(params["candidates"]))
    families = {name: each for name, each in feature_families(declaration_of(settings)).items() if name != FACTS}
    on = [name for name in wide.sources if sizes[name]]
    families[SOURCES] = tuple(feature.name for feature in source_features(on))
    arms = [Arm(FEATURES, name, partial(found.splits, sizes, columns)) for name, columns in families.items()]
    if len(on) > 1:
        arms += [
            Arm(SEQUENCE if name == NEXT_ITEM else SOURCE, name, partial(found.splits, {**sizes, name: 0}))
            for name in on
        ]
    if NEXT_ITEM in wide.sources and not sizes[NEXT_ITEM]:
        arms.append(Arm(SEQUENCE, NEXT_ITEM, partial(found.splits, {**sizes, NEXT_ITEM: next_item_size}), added=True))
    return Experiment(
        MODEL,
        METRIC,
        recall_at_25,
        params["train"],
        partial(found.splits, sizes),
        arms,
        data["validation"].clusters,
        0.0,
    )
