from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tests.shapes.ids import SESSION, USER, named
from tests.shapes.oracle_run import ORACLE, OracleRun, judge
from tests.shapes.truth import NotOfThisShape, Truth, plain_truth, steady_pairs
from tests.shop import Shop
from training.ranker.training_run import MODEL
from training.training_set.build import TRAINING_SET_FILE


def truth_that_knows_the_labels(shop: Shop) -> Truth:
    """Each slate is a session, and the strength of its pair with an item is the item's label."""
    rows = pd.read_parquet(shop.settings.training_dir / TRAINING_SET_FILE)
    slate, slates = pd.factorize(rows["slate_id"])
    item, items = pd.factorize(rows["item_id"])
    positive = np.flatnonzero(rows["label"] > 0)
    return plain_truth(
        who=np.concatenate([named(SESSION, slates), named(USER, ["of the shape"])]),
        items=items.to_numpy().astype(np.str_),
        quality=np.zeros(len(items)),
        weights=np.zeros((len(slates) + 1, 1)),
        loadings=np.zeros((len(items), 1)),
        start_us=0,
        pairs=steady_pairs(slate[positive], item[positive], rows["label"].to_numpy()[positive]),
    )


@pytest.fixture(scope="module")
def run(journey: Shop) -> OracleRun:
    return judge(journey.settings, truth_that_knows_the_labels(journey))


def test_an_oracle_that_knows_the_labels_ranks_every_slate_of_the_system_best(run: OracleRun) -> None:
    ndcg = run.ndcg[ORACLE]
    assert np.nanmin(ndcg) == pytest.approx(1)
    assert run.known == 1
    assert (np.isnan(ndcg) == np.isnan(run.ndcg["popularity"])).all()


def test_the_rankers_have_the_means_that_the_run_reports(journey: Shop, run: OracleRun) -> None:
    reported = json.loads((journey.settings.training_dir / "run" / "metrics.json").read_text())
    for name in (run.best, MODEL, "random", "input_order"):
        assert run.mean(name) == pytest.approx(reported["rankers"][name]["ndcg@10"]["mean"]), name
    assert run.promoted == reported["promoted"]


def test_the_share_of_the_gap_follows_from_the_means(run: OracleRun) -> None:
    expected = (run.mean(MODEL) - run.mean(run.best)) / (1 - run.mean(run.best))
    assert run.share.mean == pytest.approx(expected)
    assert run.share.low < run.share.mean < run.share.high
    assert f"oracle 1.0000, {MODEL} {run.mean(MODEL):.4f}" in "\n".join(run.lines())


def test_a_run_on_other_data_is_refused(journey: Shop) -> None:
    other = plain_truth(
        who=np.array(["u:1"]), items=np.array(["no such item"]), quality=np.zeros(1), weights=np.zeros((1, 1)),
        loadings=np.zeros((1, 1)), start_us=0,
    )  # fmt: skip
    with pytest.raises(NotOfThisShape, match="items are unknown"):
        judge(journey.settings, other)
