"""Each other data set through build, validate, apply, train, materialize and score, by the documented commands."""

import shutil

import duckdb
import numpy as np
import pytest

from infra.model_store import ModelStore
from tests.shop import Shop
from training.metrics import ScoredSlates, slate_metrics


@pytest.fixture
def new_shop(tmp_path):
    opened = []

    def make(dataset: str, log_arguments: str) -> Shop:
        shop = Shop(tmp_path / dataset, dataset)
        opened.append(shop)
        shop.write_params(split={})
        shop.run_pipeline(log_arguments)
        return shop

    yield make
    for shop in opened:
        shop.stop()


def score_last_slate(shop: Shop) -> dict:
    with shop.scorer() as client:
        slate = shop.last_slates(1)[0]
        answer = client.post("/score", json=shop.request_of(slate)).raise_for_status().json()
    assert len(answer["items"]) == len(slate)
    assert not answer["degraded"]
    assert answer["missing"]["items"] == 0
    return answer


def test_sessions_and_venues_go_the_whole_way(new_shop, tmp_path):
    source = tmp_path / "csv"
    maker = Shop(tmp_path, "sessions_venues")
    maker.python(f"feature_repo.datasets.sessions_venues_sample --out {source} --sessions 250 --seed 1")
    shop = new_shop("sessions_venues", f"sessions_venues --input {source}")
    assert score_last_slate(shop)["model"]["name"] == "ranker-sessions_venues"


def test_a_log_of_a_users_own_goes_the_whole_way(new_shop, tmp_path):
    simulated = Shop(tmp_path / "source", "simulated")
    simulated.python(f"feature_repo.datasets simulated --size 400 --out {simulated.settings.log_dir}")
    own = tmp_path / "own"
    shutil.copytree(simulated.settings.log_dir, own)
    shop = new_shop("my_shop", f"parquet --input {own}")
    assert score_last_slate(shop)["model"]["name"] == "ranker-my_shop"


def test_a_simulated_shop_goes_the_whole_way_and_the_model_comes_near_the_truth(new_shop):
    shop = new_shop("simulated", "simulated")
    score_last_slate(shop)
    settings = shop.settings
    test = duckdb.sql(
        f"""
        SELECT *
        FROM read_parquet('{settings.training_dir}/training_set.parquet') AS rows
            JOIN read_parquet('{settings.log_dir}/truth.parquet') AS truth USING (slate_id, item_id)
        WHERE split = 'test' ORDER BY event_timestamp, slate_id, position
        """
    ).df()
    starts = np.flatnonzero(~test["slate_id"].duplicated().to_numpy())
    sizes = np.diff(np.append(starts, len(test)))
    assert len(sizes) >= 2000
    model = ModelStore(settings).load()
    matrix = test[list(model.ranker.feature_names)].to_numpy(dtype=np.float32)

    def ndcg(scores: np.ndarray) -> float:
        slates = ScoredSlates(scores, test["label"].to_numpy(), sizes, test["relevant_total"].to_numpy()[starts])
        return float(np.nanmean(slate_metrics(slates).values["ndcg@10"]))

    random = ndcg(np.random.default_rng(1).random(len(test)))
    oracle = ndcg(test["utility"].to_numpy())
    assert (ndcg(model.ranker.score(matrix)) - random) / (oracle - random) >= 0.8
