"""What a training run leaves on disk, read back: the input of the report.

``run/`` holds metrics.json, slices.json, importance.csv (feature, gain, split), learning_curve.csv
(iteration, train_ndcg10, validation_ndcg10) and calibration.csv (bin, predicted, observed, rows).
A null in the JSON is an undefined number, NaN here.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from infra.ranker import Doubles
from training.bootstrap import Interval

RankerMetrics = Mapping[str, Mapping[str, Interval]]  # ranker -> metric -> interval
Columns = Mapping[str, Doubles]  # CSV column -> (rows,)


class BadRun(ValueError):
    """A file of the run is missing or is not as documented. Run ``python -m training.train`` again."""


@dataclass(frozen=True)
class Paired:
    """The model's metric less that of the best baseline, over the same slates."""

    baseline: str
    metric: str
    difference: Interval


@dataclass(frozen=True)
class RunResults:
    """One training run. ``champion``: name and version it met, None where it was the first."""

    dataset: str
    model_name: str
    champion: str | None
    promoted: bool
    decision: str
    slates: Mapping[str, int]
    coverage: float | None
    rankers: RankerMetrics
    paired: Paired | None
    shuffled_label: Mapping[str, Interval]
    slices: Mapping[str, RankerMetrics]  # kind of slice -> slice -> metric -> interval
    importance: tuple[tuple[str, float, float], ...]  # (feature, gain, split), largest gain first
    learning_curve: Columns
    calibration: Columns


def read_run(folder: Path) -> RunResults:
    """Every file of the run. Raises BadRun, naming the file and what is wrong with it."""
    metrics = _read_json(folder / "metrics.json")
    slices = _read_json(folder / "slices.json")
    importance = _read_csv(folder / "importance.csv", ("feature", "gain", "split"))
    try:
        paired = metrics["paired"]
        return RunResults(
            dataset=str(metrics["dataset"]),
            model_name=str(metrics["model_name"]),
            champion=metrics["champion"],
            promoted=bool(metrics["promoted"]),
            decision=str(metrics["decision"]),
            slates={str(name): int(count) for name, count in metrics["slates"].items()},
            coverage=None if metrics["coverage"] is None else float(metrics["coverage"]),
            rankers=_metrics_of_each(metrics["rankers"]),
            paired=paired and Paired(str(paired["baseline"]), str(paired["metric"]), _interval(paired)),
            shuffled_label=_intervals(metrics["shuffled_label"]),
            slices={kind: _metrics_of_each(found) for kind, found in slices.items()},
            importance=_by_gain(importance),
            learning_curve=_columns(folder / "learning_curve.csv", ("iteration", "train_ndcg10", "validation_ndcg10")),
            calibration=_columns(folder / "calibration.csv", ("bin", "predicted", "observed", "rows")),
        )
    except KeyError as error:
        raise BadRun(f"{folder}: metrics.json or slices.json lacks {error}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise BadRun(f"{folder}: not as a training run leaves it: {error}") from error


def _interval(body: Mapping[str, Any]) -> Interval:
    mean, low, high = (float("nan") if body[key] is None else float(body[key]) for key in ("mean", "low", "high"))
    return Interval(mean, low, high, int(body["slates"]))


def _intervals(body: Mapping[str, Any]) -> dict[str, Interval]:
    return {str(metric): _interval(found) for metric, found in body.items()}


def _metrics_of_each(body: Mapping[str, Any]) -> dict[str, dict[str, Interval]]:
    return {str(name): _intervals(found) for name, found in body.items()}


def _by_gain(rows: list[dict[str, str]]) -> tuple[tuple[str, float, float], ...]:
    found = ((row["feature"], float(row["gain"]), float(row["split"])) for row in rows)
    return tuple(sorted(found, key=lambda row: (-row[1], row[0])))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise BadRun(f"{path} does not exist: run `python -m training.train` first") from error
    except ValueError as error:
        raise BadRun(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRun(f"{path} must hold an object, not {type(body).__name__}")
    return body


def _read_csv(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except FileNotFoundError as error:
        raise BadRun(f"{path} does not exist: run `python -m training.train` first") from error
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise BadRun(f"{path} lacks the columns {', '.join(missing)}")
    return rows


def _columns(path: Path, columns: tuple[str, ...]) -> dict[str, Doubles]:
    """Each column as (rows,) float64, an empty cell as NaN."""
    rows = _read_csv(path, columns)
    try:
        return {name: np.array([float(row[name] or "nan") for row in rows]) for name in columns}
    except ValueError as error:
        raise BadRun(f"{path}: {error}") from error
