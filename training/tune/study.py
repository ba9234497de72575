"""Runs the trials of a study: Optuna's TPE proposes, its median pruner stops what is behind, SQLite keeps all.

The sampler is seeded anew for each trial. So a study that was interrupted and goes on has the same trials as
one that was not. A trial that was interrupted is repeated. One process at a time works on a study.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import optuna
from optuna.trial import FrozenTrial, TrialState

from infra.settings import Settings
from training.tune.space import Value
from training.tune.task import Task
from training.tune.tracked_runs import TrackedRuns

REPORT_EVERY = 25  # rounds
WARM_UP_ROUNDS = 50  # of a trial, before which it is not pruned
UNPRUNED = 5  # trials that end before any is pruned
STARTUP = 10  # trials at random before TPE models them
VALUES, RUN = "values", "mlflow_run_id"  # attributes of a trial
PARENT, INTERRUPTED = "mlflow_run_id", "interrupted"  # attributes of a study


@dataclass(frozen=True)
class Budget:
    """``trials``: of the study, with those of earlier runs. ``minutes``: of this run; the running trial is finished."""

    trials: int | None = None
    minutes: float | None = None


def storage_path(settings: Settings, model: str) -> Path:
    return settings.state_dir / "tune" / f"{settings.dataset}-{model}.db"


def open_study(settings: Settings, task: Task) -> optuna.Study:
    """The study of the task's data, begun or gone on with."""
    path = storage_path(settings, task.model)
    path.parent.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        storage=f"sqlite:///{path}",
        study_name=task.study_name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(UNPRUNED, WARM_UP_ROUNDS),
    )


def run_trials(settings: Settings, task: Task, study: optuna.Study, budget: Budget, seed: int) -> None:
    """Until the budget is used up. The first trial has the parameters of params.yaml."""
    started = time.monotonic()
    runs = TrackedRuns(settings, task)
    parent = runs.parent(study.user_attrs.get(PARENT))
    study.set_user_attr(PARENT, parent)
    _repeat_interrupted(study, runs)
    present = task.space.present()
    if not any(has_params(each, present) for each in study.get_trials(deepcopy=False)):
        study.enqueue_trial(present)
    while budget.trials is None or _finished(study) < budget.trials:
        if budget.minutes is not None and time.monotonic() - started >= 60 * budget.minutes:
            break
        _trial(task, study, runs, parent, seed + _finished(study))
    runs.end_parent(parent, study)


def has_params(trial: FrozenTrial, params: Mapping[str, Value]) -> bool:
    """Whether the trial has these dimensions, or is to have them."""
    return params in (trial.params, trial.system_attrs.get("fixed_params"))


def best_trial(study: optuna.Study) -> FrozenTrial | None:
    """Of those that were not pruned; the earliest of equal ones. None before the first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)


def values_of(trial: FrozenTrial) -> dict[str, Value]:
    """The parameters that the trial was measured with."""
    found: dict[str, Value] = trial.user_attrs[VALUES]
    return found


def _trial(task: Task, study: optuna.Study, runs: TrackedRuns, parent: str, seed: int) -> None:
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    trial = study.ask()
    values = task.space.suggest(trial)
    trial.set_user_attr(VALUES, values)
    run = runs.begin(parent, trial.number, values)
    trial.set_user_attr(RUN, run)
    began = time.monotonic()

    def watch(rounds: int, value: float) -> None:
        if rounds % REPORT_EVERY == 0:
            trial.report(value, rounds)
            if trial.should_prune():
                raise optuna.TrialPruned(f"after {rounds} rounds")

    value, state, why = None, TrialState.COMPLETE, ""
    try:
        value = task.measure(values, watch)
    except optuna.TrialPruned as error:
        state, why = TrialState.PRUNED, str(error)
    except lightgbm.basic.LightGBMError as error:
        state, why = TrialState.FAIL, str(error).splitlines()[0]
    told = study.tell(trial, value, state=state)
    runs.end(run, told)
    best = best_trial(study)
    print(_line(task, told, values, why, best, time.monotonic() - began), file=sys.stderr, flush=True)


def _line(
    task: Task, told: FrozenTrial, values: Mapping[str, Value], why: str, best: FrozenTrial | None, seconds: float
) -> str:
    found = "" if told.value is None else f" {task.metric} {told.value:.4f}"
    state = told.state.name.lower() + (f" ({why})" if why else "")
    shown = ", ".join(f"{name.rpartition('lightgbm.')[2]} {value}" for name, value in values.items())
    leader = "" if best is None else f"; best {best.value:.4f}, trial {best.number}"
    return f"trial {told.number} {state}{found}, {seconds:.1f} s{leader}: {shown}"


def _finished(study: optuna.Study) -> int:
    """Trials that were measured, pruned, or refused by LightGBM."""
    interrupted = study.user_attrs.get(INTERRUPTED, [])
    trials = study.get_trials(deepcopy=False)
    return sum(trial.state.is_finished() and trial.number not in interrupted for trial in trials)


def _repeat_interrupted(study: optuna.Study, runs: TrackedRuns) -> None:
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.set_user_attr(INTERRUPTED, [*study.user_attrs.get(INTERRUPTED, []), trial.number])
        study.tell(trial.number, state=TrialState.FAIL)
        if RUN in trial.user_attrs:
            runs.interrupt(trial.user_attrs[RUN])
        study.enqueue_trial(trial.params)
