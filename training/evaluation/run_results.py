"""The files of a training run (``training.evaluation.run_files``), read and checked: the input of the report.

An interval in the JSON is {"mean", "low", "high", "slates"}. A null in the JSON is NaN here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.evaluation.bootstrap import Interval
from training.evaluation.run_files import read_csv, read_json

RankerMetrics = Mapping[str, Mapping[str, Interval]]  # ranker or slice -> metric -> interval
Rows = Sequence[Mapping[str, str]]  # the rows of a CSV file

IMPORTANCE = ("feature", "gain", "split")
LEARNING_CURVE = ("iteration", "train_metric", "validation_metric")
CALIBRATION = ("bin", "predicted", "observed", "rows")


class BadRun(ValueError):
    """A file of the run is missing or does not have its format. Run ``python -m training.train`` again."""


@dataclass(frozen=True)
class Paired:
    """The metric of the model minus that of the best baseline, on the same slates."""

    baseline: str
    metric: str
    difference: Interval


@dataclass(frozen=True)
class RunResults:
    """One training run. ``champion``: the ranker that is served after the run, or "unchanged"."""

    dataset: str
    model_name: str
    champion: str | None
    promoted: bool
    decision: str
    best_round: int
    slates: Mapping[str, int]
    coverage: float | None
    rankers: RankerMetrics
    paired: Paired
    shuffled_label: RankerMetrics
    shuffled_difference: Interval
    slices: Mapping[str, RankerMetrics]  # kind of slice -> slices
    importance: Rows
    learning_curve: Rows
    calibration: Rows


def read_run(folder: Path) -> RunResults:
    """All files of the run. Raises BadRun, which names the file and the fault."""
    metrics, slices = _object(folder / "metrics.json"), _object(folder / "slices.json")
    try:
        paired = metrics["paired"]
        shuffled = dict(metrics["shuffled_label"])
        return RunResults(
            dataset=str(metrics["dataset"]),
            model_name=str(metrics["model_name"]),
            champion=metrics.get("champion"),
            promoted=bool(metrics["promoted"]),
            decision=str(metrics["decision"]),
            best_round=int(metrics["best_round"]),
            slates={str(name): int(count) for name, count in metrics["slates"].items()},
            coverage=None if metrics["coverage"] is None else float(metrics["coverage"]),
            rankers=intervals(metrics["rankers"]),
            paired=Paired(str(paired["baseline"]), str(paired["metric"]), interval(paired)),
            shuffled_difference=interval(shuffled.pop("difference")),
            shuffled_label=intervals(shuffled),
            slices={str(kind): intervals(found) for kind, found in slices.items()},
            importance=_rows(folder / "importance.csv", IMPORTANCE),
            learning_curve=_rows(folder / "learning_curve.csv", LEARNING_CURVE),
            calibration=_rows(folder / "calibration.csv", CALIBRATION),
        )
    except BadRun:
        raise
    except KeyError as error:
        raise BadRun(f"{folder}: metrics.json or slices.json lacks {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise BadRun(f"{folder}: metrics.json or slices.json has another format: {error}") from error


def interval(body: Mapping[str, Any]) -> Interval:
    mean, low, high = (float("nan") if body[key] is None else float(body[key]) for key in ("mean", "low", "high"))
    return Interval(mean, low, high, int(body["slates"]))


def intervals(body: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Interval]]:
    """name -> metric -> interval, read from the same structure in metrics.json or slices.json."""
    return {str(name): {str(m): interval(found) for m, found in metrics.items()} for name, metrics in body.items()}


def _object(path: Path) -> dict[str, Any]:
    try:
        body = read_json(path)
    except FileNotFoundError as error:
        raise BadRun(f"{path} does not exist: run `python -m training.train` first") from error
    except ValueError as error:
        raise BadRun(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRun(f"{path} must contain an object, not {type(body).__name__}")
    return body


def _rows(path: Path, columns: tuple[str, ...]) -> Rows:
    """The rows of a CSV file. All columns except ``feature`` must be numbers."""
    try:
        rows = read_csv(path)
    except FileNotFoundError as error:
        raise BadRun(f"{path} does not exist: run `python -m training.train` first") from error
    if not rows:
        raise BadRun(f"{path} has no rows")
    missing = [name for name in columns if name not in rows[0]]
    if missing:
        raise BadRun(f"{path} lacks the columns {', '.join(missing)}")
    for line, row in enumerate(rows, start=2):
        for name in columns:
            if name != "feature":
                _check_number(row[name], f"{path}, line {line}, column {name}")
    return rows


def _check_number(text: str | None, location: str) -> None:
    try:
        float(text or "")
    except ValueError as error:
        raise BadRun(f"{location}: {text!r} is not a number") from error
