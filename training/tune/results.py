"""What a study found: a Markdown table of its objectives, and the best parameters."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial, TrialState

from training.tune.study import best_trial, has_params
from training.tune.task import Task


def objective_table(task: Task, study: optuna.Study) -> str:
    """One row per objective: its best trial and how many it had. Without objectives one row for all trials."""
    lines = [
        f"| objective | best {task.metric} | trial | trials | pruned |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in objectives(task):
        trials = [each for each in study.get_trials(deepcopy=False) if name in ("all", _objective(task, each))]
        complete = [each for each in trials if each.state is TrialState.COMPLETE]
        pruned = sum(each.state is TrialState.PRUNED for each in trials)
        best = max(complete, key=lambda trial: (trial.value, -trial.number), default=None)
        figures = "-" if best is None else f"{best.value:.4f}"
        number = "-" if best is None else str(best.number)
        lines.append(f"| {name} | {figures} | {number} | {len(complete) + pruned} | {pruned} |")
    return "\n".join(lines)


def objectives(task: Task) -> tuple[str, ...]:
    found = next((each for each in task.space.dimensions if each.name == task.objective), None)
    return ("all",) if found is None else tuple(str(choice) for choice in found.choices)


def present_trial(task: Task, study: optuna.Study) -> FrozenTrial | None:
    """The trial with the parameters of params.yaml, if it was not pruned."""
    present = task.space.present()
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((each for each in complete if has_params(each, present)), None)


def summary(task: Task, study: optuna.Study) -> str:
    best, present = best_trial(study), present_trial(task, study)
    if best is None:
        return "no trial has ended"
    now = "" if present is None else f"; params.yaml {present.value:.4f}, trial {present.number}"
    return f"best {task.metric} {best.value:.4f}, trial {best.number}{now}"


def _objective(task: Task, trial: FrozenTrial) -> str | None:
    found = trial.user_attrs.get("values", {}).get(task.objective)
    return None if found is None else str(found)
