"""The whole pipeline and the scorer on a sample of the default data set."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.model_features import feature_matrix
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.store import open_store
from infra.clock import open_clock
from infra.models.model_store import ModelStore
from infra.models.trees.compiled_trees import compiled
from infra.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def client(journey):
    with journey.scorer() as client:
        yield client


def test_scores_over_http_equal_the_offline_features_and_prediction_of_the_same_time(journey, client):
    store = open_store(journey.settings)
    declaration = declaration_of(journey.settings)
    reader = PointInTimeReader(store, declaration)
    model = ModelStore(journey.settings).load()
    known_session = 0
    live = duckdb.sql(
        f"SELECT session_id FROM read_parquet('{journey.settings.log_dir}/events.parquet') "
        "ORDER BY received_ts DESC LIMIT 1"
    ).fetchall()[0][0]
    for i, slate in enumerate(journey.last_slates(12)):
        if i % 2:
            slate["session_id"] = live
        answer = client.post("/score", json=journey.request_of(slate)).raise_for_status().json()
        assert not answer["degraded"]
        scored_at = datetime.fromisoformat(answer["scored_at"])
        asked = slate.sort_values("input_position").assign(shown_ts=pd.Timestamp(scored_at))
        (offline,) = reader.read(asked)
        known_session += bool(offline.session)
        expected = model.ranker.score(feature_matrix(offline, declaration, model.ranker.vocabulary))
        scores = {item["item_id"]: item["score"] for item in answer["items"]}
        np.testing.assert_array_equal([scores[name] for name in asked["item_id"]], expected)
        order = np.argsort(-expected, kind="stable")
        assert [item["item_id"] for item in answer["items"]] == asked["item_id"].iloc[order].tolist()
        assert answer["missing"]["session"] == (not offline.session)
    assert known_session == 6


def test_the_served_model_is_the_registered_champion(journey, client):
    body = client.get("/model").raise_for_status().json()
    champion = ModelStore(journey.settings).champion()
    assert (body["name"], body["version"]) == ("ranker-complete_journey", str(champion.version))


def test_the_report_and_the_metrics_of_the_run_are_there(journey):
    metrics = json.loads((journey.settings.training_dir / "run" / "metrics.json").read_text())
    assert {"lambdamart", "random", "popularity", "purchase_frequency"} <= metrics["rankers"].keys()
    assert metrics["coverage"] > 0.2
    assert "lambdamart" in (journey.settings.reports_dir / "training.html").read_text()


def test_with_labels_shuffled_inside_slates_the_model_is_no_better_than_chance(journey):
    metrics = json.loads((journey.settings.training_dir / "run" / "metrics.json").read_text())
    gap = metrics["shuffled_label"]["difference"]
    assert gap["low"] <= 0.01
    assert metrics["paired"]["mean"] > gap["mean"]


def test_training_twice_gives_the_same_model(journey):
    store = ModelStore(journey.settings)
    journey.main("training.train")
    versions = store.client.search_model_versions(f"name = '{journey.settings.model_name}'")
    models = [store.load_version(v).ranker for v in versions if v.tags["kind"] == "lightgbm"]
    assert len(models) >= 2
    assert len({model.booster.model_to_string() for model in models}) == 1


def test_the_trained_model_is_registered_with_test_rows_on_which_its_compiled_trees_agree(journey):
    store = ModelStore(journey.settings)
    versions = store.client.search_model_versions(f"name = '{journey.settings.model_name}'")
    model = store.load_version(next(v for v in versions if v.tags["kind"] == "lightgbm"))
    assert np.isnan(model.rows.matrix).any()
    assert compiled(model.ranker, model.rows)[1].name == "llvm"


def test_an_emptied_redis_is_noticed_and_filled_again(journey, client):
    receipt = journey.settings.data_dir / journey.dataset / "materialize.json"
    journey.main("feature_repo.materialize --check")
    assert receipt.exists()
    import redis

    from infra.redis_server.server import endpoint

    redis.Redis.from_url(endpoint(journey.settings).url).flushall()
    journey.main("feature_repo.materialize --check")
    assert not receipt.exists()
    journey.main("feature_repo.materialize")
    answer = client.post("/score", json=journey.request_of(journey.last_slates(1)[0])).json()
    assert not answer["missing"]["user"]


@pytest.mark.slow
def test_the_feast_command_line_applies_and_materializes(journey, client):
    yaml_file = journey.settings.data_dir / journey.dataset / "feature_store.yaml"
    feast = [str(Path(sys.executable).with_name("feast")), "-f", str(yaml_file), "-c", "feature_repo"]
    end = open_clock(journey.settings).now()
    for arguments in (
        ["apply"],
        ["materialize", (end - timedelta(days=30)).isoformat(), end.isoformat(), "--views", "item_windows"],
    ):
        done = subprocess.run(
            [*feast, *arguments], cwd=PROJECT_ROOT, env=journey.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    answer = client.post("/score", json=journey.request_of(journey.last_slates(1)[0])).json()
    assert not answer["degraded"]
    assert answer["missing"]["items"] == 0


def test_every_stage_of_the_pipeline_calls_a_command_that_exists():
    import importlib.util

    import yaml

    stages = yaml.safe_load((PROJECT_ROOT / "dvc.yaml").read_text())["stages"]
    assert list(stages) == [
        "settings", "log", "validate_log", "validate_live", "own_files", "build", "validate_features", "apply",
        "training_set", "validate_training_set", "train", "recommend", "materialize",
    ]  # fmt: skip
    for stage in stages.values():
        commands = stage["cmd"] if isinstance(stage["cmd"], list) else [stage["cmd"]]
        for command in commands:
            module = command.split("python -m ")[1].split()[0]
            assert importlib.util.find_spec(module) or importlib.util.find_spec(f"{module}.__main__")
