"""MLflow runs of a study: one per study, in the experiment tune-DATASET, and one nested in it per trial."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import FrozenTrial, TrialState

from infra.models.model_store import ModelStore
from infra.settings import Settings
from training.tune.space import Value
from training.tune.task import Task


class TrackedRuns:
    def __init__(self, settings: Settings, task: Task) -> None:
        self._task = task
        self._metric = task.metric.replace("@", "_at_")
        self._store = ModelStore(settings, f"tune-{settings.dataset}")
        self._client = self._store.client

    def parent(self, known: str | None) -> str:
        """The run of the study; ``known`` is its id, if it has one that is still there."""
        if known is not None:
            try:
                self._client.get_run(known)
                self._client.update_run(known, status="RUNNING")
                return known
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        run = self._client.create_run(self._store.experiment_id(), run_name=self._task.study_name)
        run_id: str = run.info.run_id
        params = {"model": self._task.model, "metric": self._task.metric, "data": self._task.data}
        self._client.log_batch(run_id, params=[Param(name, value) for name, value in params.items()])
        return run_id

    def begin(self, parent: str, number: int, values: Mapping[str, Value]) -> str:
        tags = {MLFLOW_PARENT_RUN_ID: parent}
        run = self._client.create_run(self._store.experiment_id(), run_name=f"trial {number}", tags=tags)
        run_id: str = run.info.run_id
        self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])
        return run_id

    def end(self, run_id: str, trial: FrozenTrial) -> None:
        """With the metric after the rounds that were reported; the tag ``state`` says whether it was pruned."""
        ended_ms = 0 if trial.datetime_complete is None else int(1000 * trial.datetime_complete.timestamp())
        metrics = [
            Metric(f"{self._metric}_by_round", value, ended_ms, rounds)
            for rounds, value in trial.intermediate_values.items()
        ]
        if trial.value is not None:
            metrics.append(Metric(self._metric, trial.value, ended_ms, 0))
        self._client.log_batch(run_id, metrics=metrics, tags=[RunTag("state", trial.state.name.lower())])
        self._client.set_terminated(run_id, "FAILED" if trial.state is TrialState.FAIL else "FINISHED")

    def interrupt(self, run_id: str) -> None:
        """End the run of a trial whose process ended first."""
        try:
            self._client.set_tag(run_id, "state", "interrupted")
            self._client.set_terminated(run_id, "KILLED")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise

    def end_parent(self, run_id: str, study: optuna.Study) -> None:
        complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state is TrialState.COMPLETE]
        if complete:
            best = max(complete, key=lambda trial: (trial.value, -trial.number))
            self._client.log_metric(run_id, f"best_{self._metric}", best.value)
            self._client.set_tag(run_id, "best_trial", best.number)
        self._client.set_terminated(run_id)
