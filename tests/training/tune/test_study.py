"""Studies of a formula instead of a fit: what is repeated, resumed, pruned, compared and tracked."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import lightgbm
import pytest
import yaml
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna import Study
from optuna.trial import TrialState

from infra.models.model_store import ModelStore
from infra.params import read_params
from infra.settings import Settings
from training.tune.command import tune, write_best
from training.tune.results import objective_table, summary
from training.tune.space import Dimension, Space, Value
from training.tune.study import REPORT_EVERY, UNPRUNED, Budget, best_trial, storage_path
from training.tune.task import Task, Watch

SPACE = Space(
    (
        Dimension("lightgbm.objective", choices=("binary", "lambdarank"), present="binary"),
        Dimension("lightgbm.x", 0.0, 1.0, present=0.9),
        Dimension("lightgbm.level", 10, 100, log=True, present=30, only_if=("lightgbm.objective", "lambdarank")),
    )
)
TRIALS = 13  # some of them after the random ones
GAIN = {"binary": 0.0, "lambdarank": 0.5}


def formula(values: Mapping[str, Value], watch: Watch) -> float:
    """Highest for lambdarank and x = 0.3."""
    value = GAIN[str(values["lightgbm.objective"])] - (float(values["lightgbm.x"]) - 0.3) ** 2
    for rounds in range(REPORT_EVERY, 5 * REPORT_EVERY, REPORT_EVERY):
        watch(rounds, value)
    return value


def task(measure=formula, data: str = "d" * 64) -> Task:
    return Task("ranker", "ndcg@10", ("train",), SPACE, data, measure, "lightgbm.objective")


def params_of(study) -> list[tuple[TrialState, dict]]:
    return [(trial.state, trial.params) for trial in study.get_trials()]


@pytest.fixture
def settings(tmp_path, state, request) -> Settings:
    file = tmp_path / "params.yaml"
    file.write_text("train:\n  lightgbm: {objective: binary, x: 0.9, z: 1}  # the ranker's\n")
    return Settings(data_dir=tmp_path, state_dir=state, dataset=request.node.name[:60], params_file=file)


@pytest.fixture(scope="module")
def finished(state) -> tuple[Settings, Study]:
    settings = Settings(data_dir=state, state_dir=state, dataset="finished")
    return settings, tune(settings, task(), Budget(trials=TRIALS), seed=7)


def test_the_first_trial_has_the_present_parameters(finished):
    assert finished[1].get_trials()[0].params == {"lightgbm.objective": "binary", "lightgbm.x": 0.9}
    assert finished[1].get_trials()[0].value == pytest.approx(-0.36)


def test_a_study_that_was_interrupted_has_the_trials_of_one_that_was_not(finished, settings):
    asked = []

    def interrupted(values, watch):
        asked.append(values)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return formula(values, watch)

    with pytest.raises(KeyboardInterrupt):
        tune(settings, task(interrupted), Budget(trials=TRIALS), seed=7)
    study = tune(settings, task(interrupted), Budget(trials=TRIALS), seed=7)
    assert asked[4] == asked[3]
    assert [each for each in params_of(study) if each[0] is not TrialState.FAIL] == params_of(finished[1])
    store = ModelStore(settings, f"tune-{settings.dataset}")
    runs = store.client.search_runs([store.experiment_id()])
    assert [run.info.status for run in runs].count("KILLED") == 1


def test_a_study_of_other_data_begins_anew(settings):
    tune(settings, task(), Budget(trials=1), seed=7)
    other = tune(settings, task(data="e" * 64), Budget(trials=1), seed=7)
    assert len(other.get_trials()) == 1
    assert storage_path(settings, "ranker").name == f"{settings.dataset}-ranker.db"
    assert storage_path(settings, "ranker").exists()


def test_trials_that_are_behind_are_pruned_and_the_best_is_not(finished):
    trials = finished[1].get_trials()
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]
    assert pruned
    assert min(trial.number for trial in pruned) >= UNPRUNED
    best = best_trial(finished[1])
    assert best.state is TrialState.COMPLETE
    assert best.value >= max(trial.value for trial in pruned)


def test_a_trial_that_is_refused_counts_and_the_study_goes_on(settings):
    def refusing(values, watch):
        if values["lightgbm.objective"] == "lambdarank":
            raise lightgbm.basic.LightGBMError("not with these labels")
        return formula(values, watch)

    states = [trial.state for trial in tune(settings, task(refusing), Budget(trials=4), seed=7).get_trials()]
    assert len(states) == 4
    assert set(states) == {TrialState.FAIL, TrialState.COMPLETE}


def test_a_budget_of_minutes_ends_after_the_running_trial(settings):
    waited = threading.Event()

    def slow(values, watch):
        waited.wait(1.0)
        return formula(values, watch)

    tune(settings, task(), Budget(trials=1), seed=7)  # the databases are made
    study = tune(settings, task(slow), Budget(minutes=0.9 / 60), seed=7)
    assert [trial.state for trial in study.get_trials()] == [TrialState.COMPLETE] * 2


def test_each_objective_has_its_best_trial_in_the_table(finished):
    rows = dict(line.strip("| ").split(" | ", 1) for line in objective_table(task(), finished[1]).splitlines()[2:])
    assert rows.keys() == {"binary", "lambdarank"}
    for objective, row in rows.items():
        value, number, trials, _ = row.split(" | ")
        of_it = [t for t in finished[1].get_trials() if t.params["lightgbm.objective"] == objective]
        assert int(trials) == len(of_it)
        assert finished[1].get_trials()[int(number)] in of_it
        assert value == f"{max(t.value for t in of_it if t.state is TrialState.COMPLETE):.4f}"
    assert f"trial {best_trial(finished[1]).number}; params.yaml -0.3600, trial 0" in summary(task(), finished[1])


def test_each_trial_is_a_run_inside_the_run_of_its_study(finished):
    settings, study = finished
    store = ModelStore(settings, f"tune-{settings.dataset}")
    parent = store.client.get_run(study.user_attrs["mlflow_run_id"])
    best = best_trial(study)
    assert parent.data.metrics["best_ndcg_at_10"] == best.value
    assert parent.info.status == "FINISHED"
    runs = store.client.search_runs([store.experiment_id()], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")
    assert len(runs) == TRIALS
    by_id = {run.info.run_id: run for run in runs}
    for trial in study.get_trials():
        run = by_id[trial.user_attrs["mlflow_run_id"]]
        assert run.data.metrics["ndcg_at_10"] == trial.value
        assert run.data.params["lightgbm.x"] == str(trial.user_attrs["values"]["lightgbm.x"])
        assert run.data.tags["state"] == trial.state.name.lower()


def test_the_best_is_written_only_when_asked_and_only_if_it_is_better(settings):
    before, own = settings.params_file.read_text(), settings.params_file.parent / "params" / f"{settings.dataset}.yaml"
    study = tune(settings, task(), Budget(trials=1), seed=7)
    assert "unchanged" in write_best(settings, task(), study)
    study = tune(settings, task(), Budget(trials=4), seed=7)
    assert not own.exists()
    assert f"trial {best_trial(study).number}" in write_best(settings, task(), study)
    found = best_trial(study).user_attrs["values"]
    assert settings.params_file.read_text() == before
    assert yaml.safe_load(own.read_text()) == {
        "train": {
            "lightgbm": {"objective": "lambdarank", "x": found["lightgbm.x"], "level": found["lightgbm.level"]},
        }
    }
    assert read_params(settings)["train"]["lightgbm"]["z"] == 1  # what is not tuned stays
