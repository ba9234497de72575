"""All known users as prospects: how likely each orders, the items for each, and the recall expected of them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from feast import FeatureStore

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import TIMESTAMP
from feature_repo.store import open_store
from infra.models.arrays import Doubles, Floats
from infra.params import BadParams
from infra.progress import step
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.buyers.orders import Orders
from training.buyers.training_run import BuyerRun, fit_and_judge
from training.buyers.user_rows import NO_SESSION
from training.buyers.windows import TooFewWindows, user_set
from training.candidates.asked_time import BadTime
from training.candidates.fit import BadSources
from training.recommend.errors import BatchError
from training.recommend.expected_recall import RecallModel, recall_matrix, usual_basket
from training.recommend.item_lists import item_lists
from training.recommend.judged_lists import JudgedLists, judged_lists
from training.recommend.submission import Submission
from training.stage_two.predict import ranked
from training.stage_two.recommender import FittedRecommender, fit_recommender
from training.stage_two.windows import BadWindows
from training.training_set.ranking_data import BadTrainingSet

REFUSALS = (
    DatasetError, OfflineError, RedisServerError, BadTime, TooFewWindows, BadSources, BadWindows,
    BadTrainingSet, BatchError, BadParams,
)  # fmt: skip
"""What the batch refuses: errors that a command reports in one line."""


@dataclass(frozen=True)
class Prospects:
    """q users known at a timestamp.

    lists:       the k items of each user
    matrix:      (q, f) features of the buyer model
    probability: (q,) of ordering in the window
    recall:      (q,) expected of the list if the user orders
    """

    lists: Submission
    matrix: Floats
    probability: Doubles
    recall: Doubles
    buyers: BuyerRun
    recommender: FittedRecommender
    recall_model: RecallModel | None

    @property
    def expected(self) -> Doubles:
        """(q,) of recall: what choosing the user is expected to add to the metric's sum."""
        return self.probability * self.recall


def find_prospects(
    settings: Settings, params: Mapping[str, Any], orders: Orders, at: datetime, days: int, k: int, folder: Path
) -> Prospects:
    """Fit the buyer model, the sources and the ranker on what was known at ``at``, and ask them about every user.

    ``params``: the section ``recommend``. ``folder``: for the ranker's training set.

    Raises REFUSALS.
    """
    buyers = fit_and_judge(settings, params["buyers"], orders, at, days)
    recommender = fit_recommender(settings, _for_windows_of(params, days), at, folder)
    store = open_store(settings)
    users = buyers.users
    with step("lists of users"):
        found = ranked(
            PointInTimeReader(store, declaration_of(settings)),
            recommender.recommender,
            at,
            users.ids.to_pylist(),
            threads=settings.threads,
        )
        trending = orders.trending(at, int(params["batch"]["trending_days"]), 2 * k)
        lists = item_lists(found, k, trending)
    earlier = judged_lists(recommender, k, settings.threads)
    recall, model = np.ones(len(users)), None
    if len(earlier):
        usual = usual_basket(users.matrix)
        of_earlier = recall_matrix(earlier.mass, _users_of(earlier, store, days), usual)
        model = RecallModel.fit(of_earlier, earlier.recall, params["batch"]["recall"], settings.threads)
        recall = model(recall_matrix(lists.mass, users.matrix, usual), settings.threads)
    else:
        print("  no earlier list to learn from: users are chosen by their probability alone", file=sys.stderr)
    return Prospects(
        lists.submission,
        users.matrix,
        buyers.model.probabilities(users.matrix),
        recall,
        buyers,
        recommender,
        model,
    )


def _users_of(earlier: JudgedLists, store: FeatureStore, days: int) -> Floats:
    asked = {
        "user_id": earlier.users,
        "session_id": pa.array([NO_SESSION] * len(earlier.users)),
        "event_timestamp": pa.array(earlier.start_us).cast(TIMESTAMP),
    }
    return user_set(store, pa.table(asked), days).matrix


def _for_windows_of(params: Mapping[str, Any], days: int) -> dict[str, Any]:
    """The parameters with windows of ``days`` in stage two, too."""
    windows = params["windows"]
    return {**params, "windows": {**windows, "days": days, "every_days": max(days, int(windows["every_days"]))}}
