"""The batch in MLflow: its parameters, the submission and the models behind it, and the metric where it is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.models.model_store import ModelStore
from infra.settings import Settings
from training.evaluation.run_files import write_csv
from training.recommend.database import Run
from training.recommend.files import write_submission
from training.recommend.prospects import Prospects
from training.recommend.submission import Submission

RUN_NAME = "batch"
SUBMISSION_FILE = "submission.parquet"


def log_batch(
    settings: Settings,
    run: Run,
    submission: Submission,
    found: Prospects,
    chosen: npt.NDArray[np.int64],
    params: Mapping[str, Any],
    asked: Mapping[str, Any],
    buyers_version: str,
    metric: float | None,
) -> str:
    """Returns the id of the run in MLflow. ``asked``: of the command, without a password."""
    store = ModelStore(settings, settings.recommend_name)
    client = store.client
    logged = client.create_run(store.experiment_id(), run_name=RUN_NAME).info.run_id
    client.log_param(logged, "run_id", run.run_id)
    client.log_param(logged, "window_start", run.start.isoformat())
    client.log_param(logged, "window_end", run.end.isoformat())
    client.log_param(logged, "buyers_version", buyers_version)
    client.log_param(logged, "training_set_sha256", found.recommender.written.recipe.content_hash)
    for key, value in asked.items():
        client.log_param(logged, key, value)
    client.log_dict(logged, json.loads(json.dumps(params)), "parameters.json")
    client.log_metric(logged, "users", len(submission))
    client.log_metric(logged, "expected_orders", float(found.probability[chosen].sum()))
    client.log_metric(logged, "expected_recall", float(found.expected[chosen].sum() / found.probability.sum()))
    if metric is not None and np.isfinite(metric):
        client.log_metric(logged, "recall_per_buyer", metric)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_submission(submission, folder / SUBMISSION_FILE, "parquet")
        found.recommender.recommender.ranker.save(folder / "ranker")
        (folder / "sources").mkdir()
        found.recommender.recommender.sources.save(folder / "sources")
        write_csv(folder / "users.csv", _users(submission, found, chosen))
        if found.recall_model is not None:
            found.recall_model.save(folder)
        client.log_artifacts(logged, str(folder), RUN_NAME)
    client.set_terminated(logged)
    return str(logged)


def _users(submission: Submission, found: Prospects, chosen: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    return [
        {"user_id": user, "probability": probability, "expected_recall_if_ordering": recall}
        for user, probability, recall in zip(
            submission.users, found.probability[chosen].tolist(), found.recall[chosen].tolist(), strict=True
        )
    ]
