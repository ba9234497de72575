"""The recommender's ablation on the buyers' small shop, beside models that were fitted without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from feature_repo.candidates.union import source_features
from infra.settings import PROJECT_ROOT
from tests.small_log import at, event
from tests.training.buyers.small_shop import DAYS, DECLARATION, small_shop
from training.ablation.experiment import FEATURES, SOURCE, run
from training.ablation.families import SOURCES, feature_families
from training.ablation.recommender import recommender_experiment
from training.ranker.lambdamart import fit, ndcg_at_10
from training.stage_two.training_set import write_training_set
from training.training_set.ranking_data import load_splits
from training.tune.wide_set import TUNED_SPLITS

ALL = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["sources"]
NAMES = ("own_history", "trending")
PARAMS: dict[str, Any] = {
    "candidates": 40,
    "sources": {name: {**ALL[name], "candidates": 20} for name in NAMES},
    "windows": {"days": 3, "every_days": 3, "train": 3, "validation": 2, "test": 2, "fit_every": 2},
    "lists": {"users": 100, "sessions": 5, "negatives": 1.0},
    "train": {
        "seed": 7,
        "rounds": 20,
        "early_stopping_rounds": 20,
        "bootstrap_resamples": 200,
        "lightgbm": {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.1},
    },
}
TEST_START = at(DAYS - 6)
MARKED = ("only-in-test", "late-user")
FAMILY = "history"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """With orders that cannot be predicted, and with an item and a user that occur in the test windows only."""
    random = np.random.default_rng(7)
    item_id, user_id = MARKED
    marks = [event(9000 + i, at(DAYS - 5, i), "order", item_id, user_id=user_id, session_id="m") for i in range(3)]
    for number in range(600):
        day, user, other = random.integers((DAYS, 20, 40))
        fields = {"user_id": f"u{user:02d}", "session_id": f"r{number}"}
        marks.append(event(5000 + number, at(int(day), 50_000 + number), "order", f"r{other:02d}", **fields))
    return small_shop(tmp_path_factory.mktemp("ablation"), marks)


@pytest.fixture(scope="module")
def experiment(shop):
    """Judged by NDCG, because most of what is ordered here is among the first 25 in any order."""
    found = recommender_experiment(shop, PARAMS, at(DAYS), "ablation")
    assert (found.metric, found.missing) == ("recall@25", 0.0)
    return replace(found, metric="ndcg@10", measured=ndcg_at_10)


@pytest.fixture(scope="module")
def found(experiment):
    wanted = [arm for arm in experiment.arms if arm.name in (FAMILY, *NAMES)]
    return run(replace(experiment, arms=wanted), 1)


def ndcg(labels: np.ndarray, scores: np.ndarray) -> float:
    """At 10, of one list, by its definition; of equal scores the lower label comes first."""
    discounts = 1 / np.log2(np.arange(2, 12))
    gains = 2.0 ** labels[np.lexsort((labels, -scores))][:10] - 1
    best = 2.0 ** np.sort(labels)[::-1][:10] - 1
    return float((gains * discounts[: len(gains)]).sum() / (best * discounts[: len(best)]).sum())


def test_all_families_but_the_callers_facts_and_all_sources_are_parts(experiment):
    families = [name for name in feature_families(DECLARATION) if name != "request_facts"]
    assert [arm.name for arm in experiment.arms if arm.kind == FEATURES] == [*families, SOURCES]
    assert [arm.name for arm in experiment.arms if arm.kind == SOURCE] == list(NAMES)


def test_the_figures_of_a_family_are_those_of_a_model_that_is_fitted_without_it(shop, experiment, found, tmp_path):
    write_training_set(shop, PARAMS, at(DAYS), tmp_path, test=False)
    columns = pq.read_schema(tmp_path / "training_set.parquet").names
    kept = tuple(
        name
        for name in experiment.full().train.feature_names
        if name in columns and name not in feature_families(DECLARATION)[FAMILY]
    )
    data = load_splits(tmp_path / "training_set.parquet", kept, TUNED_SPLITS)
    train, judged = data["train"], data["validation"]
    fitted = fit(
        replace(train, click_through=None), judged, PARAMS["train"], 1, rounds=found.rounds, measured=ndcg_at_10
    )
    scores = fitted.booster.predict(judged.matrix)
    values = [
        ndcg(judged.labels[start : start + size], scores[start : start + size])
        for start, size in zip(judged.starts, judged.sizes, strict=True)
        if judged.labels[start : start + size].any()
    ]
    row = next(row for row in found.rows if row.name == FAMILY)
    assert row.columns == len(kept)
    assert 0.2 < np.mean(values) < 0.98
    assert row.value.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert row.worth.mean == pytest.approx(found.full.mean - np.mean(values), abs=1e-6)


def test_without_a_source_the_model_has_the_candidates_of_the_other_one_and_none_of_its_columns(experiment, found):
    arm = next(arm for arm in experiment.arms if arm.name == "own_history")
    full, less = experiment.full(), arm.splits()
    silent = {feature.name for feature in source_features(["own_history"])}
    assert set(full.train.feature_names) - set(less.train.feature_names) == silent
    listed = full.validation.column("trending_rank")
    assert len(less.validation.labels) == np.isfinite(listed).sum() < len(full.validation.labels)
    assert np.isfinite(less.validation.column("trending_rank")).all()


def test_nothing_of_the_test_windows_is_in_the_set(shop, experiment):
    rows = pq.read_table(shop.training_dir / "ablation" / "set" / "training_set.parquet")
    assert set(rows["split"].to_pylist()) == {"train", "validation"}
    assert max(rows["event_timestamp"].to_pylist()) < TEST_START
    assert not set(MARKED) & {*rows["item_id"].to_pylist(), *rows["user_id"].to_pylist()}
