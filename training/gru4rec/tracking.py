"""MLflow runs of the sequence model: one experiment per data set. Local artifacts are beside the database."""

from __future__ import annotations

import logging
from typing import Any

import mlflow

from infra.models.tracking import artifact_location, open_client
from infra.settings import Settings


class Run:
    """One MLflow run. ``run_id``: an existing run to continue; None starts a new one."""

    def __init__(self, settings: Settings, run_id: str | None = None) -> None:
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.client = open_client(settings)
        self.run_id = (
            run_id or self.client.create_run(_experiment(self.client, settings), run_name="gru4rec").info.run_id
        )

    def log_settings(self, settings: dict[str, Any]) -> None:
        for name, value in settings.items():
            self.client.log_param(self.run_id, name, value)

    def log_epoch(self, epoch: dict[str, float]) -> None:
        for name, value in epoch.items():
            if name != "epoch":
                self.client.log_metric(self.run_id, name, value, step=int(epoch["epoch"]))

    def finish(self, status: str = "FINISHED") -> None:
        self.client.set_terminated(self.run_id, status)


def _experiment(client: mlflow.MlflowClient, settings: Settings) -> str:
    name = f"gru4rec-{settings.dataset}"
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=artifact_location(settings, name)))
