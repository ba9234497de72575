"""The section on tuning: what Optuna's studies tried and found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

from infra.report_page.page import table
from infra.report_page.plot import image
from infra.settings import Settings
from training.report import figures
from training.report.study import Section, Study, block, paragraph

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

METRICS = {"ranker": "ndcg@10", "recommender": "recall@25", "buyers": "average precision"}
OBJECTIVE = "lightgbm.objective"  # ends the name of the parameter
OPTUNA = "pip install optuna"


@dataclass(frozen=True)
class History:
    """The newest study of a model. ``trials``: that ended; ``others``: number of earlier studies, of other data."""

    study: str
    complete: Sequence[FrozenTrial]
    pruned: Sequence[FrozenTrial]
    failed: int
    others: int

    @property
    def best(self) -> FrozenTrial:
        return max(self.complete, key=lambda trial: (trial.value, -trial.number))


def section(study: Study) -> Section:
    return Section(
        "tuning",
        "Tuning history",
        paragraph(
            "Each trial is measured on validation; the first one has the parameters of params.yaml. The best of many "
            "trials is too good by chance: what it is worth shows on the test lists only."
        )
        + "".join(f"<h3>{escape(model)}</h3>\n" + block(_maker(study, model), command(model)) for model in METRICS),
    )


def command(model: str) -> str:
    return f"python -m training.tune {model}"


def history(settings: Settings, model: str) -> History:
    """Raises FileNotFoundError without a study that has a trial."""
    if find_spec("optuna") is None:
        raise ValueError(f"the studies are read with optuna, which is not installed: {OPTUNA}")
    import optuna
    from optuna.trial import TrialState

    from training.tune.study import storage_path

    path = storage_path(settings, model)
    if not path.exists():
        raise FileNotFoundError(path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{path}"
    begun = [each for each in optuna.get_all_study_summaries(storage) if each.datetime_start is not None]
    if not begun:
        raise FileNotFoundError(path)
    newest = max(begun, key=lambda each: str(each.datetime_start))
    trials = optuna.load_study(study_name=newest.study_name, storage=storage).get_trials(deepcopy=False)
    of = {state: [trial for trial in trials if trial.state is state] for state in TrialState}
    if not of[TrialState.COMPLETE]:
        raise FileNotFoundError(path)
    return History(
        newest.study_name, of[TrialState.COMPLETE], of[TrialState.PRUNED], len(of[TrialState.FAIL]), len(begun) - 1
    )


def objectives(found: History, metric: str) -> str:
    """A table of the objectives that were tried; empty if they were not tuned."""
    by_name: dict[str, list[FrozenTrial]] = {}
    for trial in (*found.complete, *found.pruned):
        name = next((str(value) for key, value in values_of(trial).items() if key.endswith(OBJECTIVE)), None)
        if name is not None:
            by_name.setdefault(name, []).append(trial)
    rows = []
    for name in sorted(by_name):
        ended = [trial for trial in by_name[name] if trial in found.complete]
        best = max(ended, key=lambda trial: (trial.value, -trial.number), default=None)
        figure, number = ("-", "-") if best is None else (f"{best.value:.4f}", str(best.number))
        rows.append([name, figure, number, str(len(by_name[name])), str(len(by_name[name]) - len(ended))])
    return table(["objective", f"best {metric}", "trial", "trials", "pruned"], rows) if rows else ""


def values_of(trial: FrozenTrial) -> Mapping[str, object]:
    """The parameters that the trial was measured with."""
    found: Mapping[str, object] = trial.user_attrs.get("values", trial.params)
    return found


def _maker(study: Study, model: str) -> Callable[[], str]:
    return lambda: _study(study.settings, model)


def _study(settings: Settings, model: str) -> str:
    found, metric = history(settings, model), METRICS[model]
    complete = [(trial.number, float(trial.value or 0)) for trial in found.complete]
    pruned = [
        (trial.number, trial.intermediate_values[max(trial.intermediate_values)])
        for trial in found.pruned
        if trial.intermediate_values
    ]
    first = next((value for number, value in complete if number == 0), None)
    before = "" if first is None else f", {first:.4f} with the parameters of params.yaml at that time"
    counts = f"{len(found.complete)} trials finished, {len(found.pruned)} were pruned, {found.failed} failed"
    others = f" {found.others} earlier studies were of other data." if found.others else ""
    best = found.best
    rows = [
        [name, f"{value:.4g}" if isinstance(value, float) else str(value)] for name, value in values_of(best).items()
    ]
    return (
        paragraph(
            f"Study {found.study}: {counts}. Best {metric} {best.value:.4f}, trial {best.number}{before}.{others}"
        )
        + image(figures.tuning_history(complete, pruned, metric), f"{metric} by trial")
        + "<details><summary>Parameters of the best trial</summary>"
        + table(["parameter", "value"], rows)
        + "</details>\n"
    )
