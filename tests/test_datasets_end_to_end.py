"""Each other data set through build, validate, apply, train, materialize and score, by the documented commands."""

import shutil
from dataclasses import dataclass, replace
from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.models.model_store import ModelStore
from tests.shop import Shop
from training.evaluation.metrics import ScoredSlates, slate_metrics
from training.ranker.lambdamart import fit
from training.ranker.training_run import from_log
from training.training_set.levels import feature_matrix_of
from training.training_set.ranking_data import RankingData, load_splits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def new_shop(tmp_path_factory):
    opened = []
    tmp_path = tmp_path_factory.mktemp("shops")

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
    maker.python(f"feature_repo.datasets.samples.sessions_venues --out {source} --sessions 250 --seed 1")
    shop = new_shop("sessions_venues", f"sessions_venues --input {source}")
    assert score_last_slate(shop)["model"]["name"] == "ranker-sessions_venues"


def test_a_log_of_a_users_own_goes_the_whole_way(new_shop, tmp_path):
    simulated = Shop(tmp_path / "source", "simulated")
    simulated.python(f"feature_repo.datasets simulated --size 400 --out {simulated.settings.log_dir}")
    own = tmp_path / "own"
    shutil.copytree(simulated.settings.log_dir, own)
    shop = new_shop("my_shop", f"parquet --input {own}")
    assert score_last_slate(shop)["model"]["name"] == "ranker-my_shop"
    said = shop.python("training.train --from-log").stdout
    assert "served as champion" in said
    assert (shop.settings.training_dir / "from_log" / "run" / "metrics.json").exists()


@pytest.fixture(scope="module")
def simulated(new_shop) -> Shop:
    return new_shop("simulated", "simulated")


@dataclass(frozen=True)
class Truth:
    """The test slates: what users wanted, whatever they saw of it."""

    rows: pd.DataFrame
    sizes: np.ndarray

    @staticmethod
    def of(shop: Shop) -> "Truth":
        rows = duckdb.sql(
            f"""
            SELECT *
            FROM read_parquet('{shop.settings.training_dir}/training_set.parquet') AS rows
                JOIN read_parquet('{shop.settings.log_dir}/truth.parquet') AS truth USING (slate_id, item_id)
            WHERE split = 'test' ORDER BY event_timestamp, slate_id, position
            """
        ).df()
        starts = np.flatnonzero(~rows["slate_id"].duplicated().to_numpy())
        return Truth(rows, np.diff(np.append(starts, len(rows))))

    def ndcg(self, scores: np.ndarray) -> float:
        total = self.rows["relevant_total"].to_numpy()[np.cumsum(self.sizes) - self.sizes]
        slates = ScoredSlates(scores, self.rows["label"].to_numpy(), self.sizes, total)
        return float(np.nanmean(slate_metrics(slates).values["ndcg@10"]))

    def ndcg_of(self, ranker) -> float:
        rows = pa.Table.from_pandas(self.rows, preserve_index=False)
        return self.ndcg(ranker.score(feature_matrix_of(rows, ranker.feature_names, ranker.vocabulary)))


def test_a_simulated_shop_goes_the_whole_way_and_the_model_comes_near_the_truth(simulated):
    score_last_slate(simulated)
    truth = Truth.of(simulated)
    assert len(truth.sizes) >= 2000
    random = truth.ndcg(np.random.default_rng(1).random(len(truth.rows)))
    oracle = truth.ndcg(truth.rows["utility"].to_numpy())
    assert (truth.ndcg_of(ModelStore(simulated.settings).load().ranker) - random) / (oracle - random) >= 0.8


def test_learning_from_what_was_served_recovers_what_the_place_on_the_screen_hides(simulated):
    truth, settings = Truth.of(simulated), simulated.settings
    params = yaml.safe_load(settings.params_file.read_text())
    names = current_contract(settings.dataset, declaration_of(settings)).feature_names
    served = load_splits(from_log(settings, params, timedelta(hours=24)) / "training_set.parquet", names)
    assert served["train"].labels.mean() < 0.5 * truth.rows["label"].mean()  # most of what is wanted is not seen

    def learned(data: dict[str, RankingData]) -> float:
        fitted = fit(data["train"], data["validation"], params["train"], settings.threads)
        return truth.ndcg_of(fitted.ranker)

    wanted = truth.ndcg_of(ModelStore(settings).load().ranker)  # learned from what users wanted
    corrected = learned(served)
    uncorrected = learned({name: replace(data, shown_at=None) for name, data in served.items()})
    print(f"NDCG@10 {wanted:.4f} from the truth, {uncorrected:.4f} from clicks, {corrected:.4f} corrected")
    assert wanted - uncorrected >= 0.02
    assert (corrected - uncorrected) / (wanted - uncorrected) >= 0.7
