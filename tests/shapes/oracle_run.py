"""The rankers of a pipeline's run and the oracle, judged on the very same test slates.

The slates are those of the training set. Their ids must be the ones of the files, as text; a slate's own id or its
session may be the session of the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.models.model_store import ModelStore
from infra.models.ranker import Ranker
from infra.settings import Settings
from tests.shapes.gap import Doubles, Share, closed_share
from tests.shapes.truth import Truth
from training.evaluation.baselines import CALLERS_ORDER, baselines
from training.evaluation.metrics import slate_metrics
from training.evaluation.ranker_evaluation import DECIDING, evaluate, scored_slates
from training.evaluation.run_files import read_json
from training.ranker.training_run import MODEL, RUN_FOLDER
from training.training_set.build import TRAINING_SET_FILE
from training.training_set.ranking_data import load_splits

KEYS = ("slate_id", "user_id", "session_id", "item_id", "event_timestamp", "position", "split")
ORACLE, RANDOM = "oracle", "random"


@dataclass(frozen=True)
class OracleRun:
    """``ndcg``: ranker -> (g,) NDCG@10 of each judged test slate. ``best``: the baseline that the model must beat.

    ``known``: share of the rows whose user, session or time the truth knows.
    """

    ndcg: dict[str, Doubles]
    champion: str
    best: str
    share: Share
    known: float
    promoted: bool
    decision: str

    def mean(self, ranker: str) -> float:
        return float(np.nanmean(self.ndcg[ranker]))

    def lines(self) -> list[str]:
        """What is printed of it."""
        judged = int(np.isfinite(self.ndcg[ORACLE]).sum())
        named_rankers = dict.fromkeys((ORACLE, MODEL, self.champion, self.best, CALLERS_ORDER, RANDOM))
        found = ", ".join(f"{name} {self.mean(name):.4f}" for name in named_rankers if name in self.ndcg)
        share = self.share
        return [
            f"champion: {self.champion}; {self.decision}",
            f"NDCG@10 on {judged} test slates with a positive: {found}",
            f"of the gap between {self.best} and the oracle {MODEL} closes {share.mean:+.2f} "
            f"[{share.low:+.2f}, {share.high:+.2f}]",
            f"the truth knows who looks in {self.known:.0%} of the rows",
        ]


def judge(settings: Settings, truth: Truth) -> OracleRun:
    """Of the newest model of the data set and its training set. Raises NotOfThisShape where items have other ids."""
    file = settings.training_dir / TRAINING_SET_FILE
    names = current_contract(settings.dataset, declaration_of(settings)).feature_names
    newest = _newest(settings)
    data = load_splits(file, names, levels=newest.vocabulary)["test"].judged()
    rows = _test_rows(pq.read_table(file, columns=list(KEYS)).to_pandas())
    us = rows["event_timestamp"].dt.tz_convert(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    sessions = np.where(truth.knows_session(rows["session_id"]), rows["session_id"], rows["slate_id"])
    scores = truth.utility(rows["user_id"], rows["item_id"], us, sessions, rows["position"])
    metrics = read_json(settings.training_dir / RUN_FOLDER / "metrics.json")
    evaluation = evaluate({MODEL: newest, **baselines(names)}, data, seed=0, resamples=1)
    ndcg = {ranker: values[DECIDING] for ranker, values in evaluation.per_slate.items()}
    ndcg[ORACLE] = slate_metrics(scored_slates(data, scores)).values[DECIDING]
    best = metrics["paired"]["baseline"]
    clusters = np.arange(len(data.sizes)) if data.clusters is None else data.clusters
    return OracleRun(
        ndcg=ndcg,
        champion=str(metrics["champion"]),
        best=best,
        share=closed_share(ndcg[MODEL], ndcg[best], ndcg[ORACLE], clusters),
        known=float(truth.knows(rows["user_id"], us, sessions).mean()),
        promoted=bool(metrics["promoted"]),
        decision=str(metrics["decision"]),
    )


def _test_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of :meth:`RankingData.judged` of the test split, in its order."""
    test = rows[rows["split"] == "test"]
    return test[test.groupby("slate_id", sort=False)["item_id"].transform("size") > 1].reset_index(drop=True)


def _newest(settings: Settings) -> Ranker:
    """The model that was trained last, promoted or not."""
    store = ModelStore(settings)
    versions = store.client.search_model_versions(f"name = '{store.name}'")
    models = [version for version in versions if version.tags["kind"] == "lightgbm"]
    return store.load_version(max(models, key=lambda version: int(version.version))).ranker
